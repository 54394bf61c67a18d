"""The only writer of saga rows. Every write is counted: it hits the row the caller saw, or nothing.

A write names the epoch, the state and the revision that it was decided on. The epoch
fences whoever was dispatched before; the revision also tells two copies of one message
apart where the state does not change (running -> running, COMPENSATING -> COMPENSATING).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import BooleanField, Expression, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Least, Now
from django.db.models.lookups import LessThanOrEqual

from sagas.models import (
    COMPENSATED,
    COMPLETE,
    DATABASE,
    Direction,
    Heartbeat,
    Outcome,
    Saga,
    StepRun,
)
from sagas.participant import crash

#: When recovery looks at a saga; the expression of the index ``sagas_due``.
DUE_AT = Coalesce("next_attempt_at", "lease_until")

_CLOCK: Mapping[str, Expression] = {
    "past_deadline": ExpressionWrapper(
        LessThanOrEqual(F("deadline_at"), Now()), output_field=BooleanField()
    ),
    "is_due": ExpressionWrapper(
        LessThanOrEqual(DUE_AT, Now()), output_field=BooleanField(null=True)
    ),
}

_SETTLED = (COMPLETE, COMPENSATED)
_WRITTEN_AS_IT_STANDS = (
    "state",
    "reached",
    "results",
    "undone",
    "given_up",
    "attempts",
    "recoveries",
    "parked",
    "reason",
    "reason_step",
    "reason_detail",
)

#: The longest time, in seconds, that a message may wait for a worker before it is sent again.
_LONGEST_QUEUE_LEASE = 300.0


class Superseded(Exception):
    """Someone else took the saga over since it was read; this caller must stop quietly."""


def in_seconds(seconds: float) -> Expression:
    """Return the moment ``seconds`` from now, on the database's clock."""
    return Now() + Value(timedelta(seconds=seconds))


def read(saga_id: UUID) -> Saga:
    """Read a saga with ``past_deadline`` and ``is_due``, as the database's clock has it."""
    return sagas_now().get(pk=saga_id)


def lock(saga_id: UUID) -> Saga | None:
    """Read and lock a saga inside the caller's transaction; None while another holds the lock."""
    return sagas_now().select_for_update(skip_locked=True).filter(pk=saga_id).first()


def due_sagas() -> QuerySet[Saga]:
    """Return the sagas whose lease or back-off has run out, the longest overdue first."""
    has_time = Q(next_attempt_at__isnull=False) | Q(lease_until__isnull=False)
    return (
        Saga.objects.using(DATABASE)
        .alias(overdue_since=DUE_AT)
        .filter(has_time, parked="", overdue_since__lte=Now())
        .order_by("overdue_since")
    )


def sagas_now() -> QuerySet[Saga]:
    """Return all sagas, with what the database's clock says of each."""
    return Saga.objects.using(DATABASE).annotate(**_CLOCK)


def claim(saga: Saga, *, time_limit: float) -> None:
    """Begin the due step: count the attempt and take a lease that outlives its time limit.

    One message can claim a step once; a copy of it finds the claim and stops. The claim of
    a worker that died is set free by the next dispatch, when the lease has run out.

    Args:
        saga: as read; its revision is the guard.
        time_limit: seconds that the attempt may run.

    Raises:
        Superseded: the row is not what was read any more.
    """
    with crash.statement("sagas.claim", using=DATABASE):
        claimed = _as_seen(saga, state=saga.state).update(
            claimed_at=Now(),
            lease_until=in_seconds(time_limit + settings.SAGA_LEASE_MARGIN),
            next_attempt_at=None,
            attempts=F("attempts") + 1,
            revision=F("revision") + 1,
            updated_at=Now(),
        )
    if not claimed:
        raise Superseded(f"saga {saga.pk} was claimed or dispatched by someone else")
    saga.revision += 1
    saga.attempts += 1


def save(
    saga: Saga,
    *,
    seen_state: str,
    run: StepRun | None = None,
    lease: float | None = None,
    wait: float | None = None,
    raise_epoch: bool = False,
) -> None:
    """Write the saga as it stands in memory, and its history row, in one transaction.

    Args:
        saga: with its new state and values.
        seen_state: the state that the decision was made on.
        run: the history row that belongs to this change; its error becomes the saga's.
        lease: seconds until recovery may take it over; before the pivot the deadline caps it.
        wait: seconds until its next attempt; before the pivot the deadline caps it.
        raise_epoch: fence whoever was dispatched before.

    Raises:
        Superseded: epoch, state or revision changed since it was read; nothing was written.
    """
    changes: dict[str, Any] = {name: getattr(saga, name) for name in _WRITTEN_AS_IT_STANDS}
    if run is not None and run.outcome != Outcome.SUCCEEDED:
        changes |= _error_of(run)
    with crash.committing("sagas.save", using=DATABASE):
        updated = _as_seen(saga, state=seen_state).update(
            **changes,
            epoch=F("epoch") + int(raise_epoch),
            revision=F("revision") + 1,
            claimed_at=None,
            lease_until=_when(saga, lease),
            next_attempt_at=_when(saga, wait),
            parked_at=Coalesce("parked_at", Now()) if saga.parked else None,
            finished_at=Coalesce("finished_at", Now()) if saga.state in _SETTLED else None,
            updated_at=Now(),
        )
        if not updated:
            raise Superseded(f"saga {saga.pk} moved on since it was read in state {seen_state}")
        if run is not None:
            run.save(using=DATABASE)
    saga.epoch += int(raise_epoch)
    saga.revision += 1


def fence(saga: Saga) -> None:
    """Raise the epoch of a saga, so that whoever was dispatched before cannot save any more."""
    lost = lost_run(saga)
    saga.recoveries += int(saga.next_attempt_at is None)
    save(saga, seen_state=saga.state, run=lost, lease=queue_lease(saga), raise_epoch=True)


def touch(saga: Saga) -> None:
    """Raise the revision and change nothing else, so that whoever read it before is too late.

    Raises:
        Superseded: the row is not what was read any more.
    """
    seen = _as_seen(saga, state=saga.state)
    with crash.statement("sagas.touch", using=DATABASE):
        touched = seen.update(revision=F("revision") + 1, updated_at=Now())
    if not touched:
        raise Superseded(f"saga {saga.pk} moved on since it was read")
    saga.revision += 1


def lost_run(saga: Saga) -> StepRun | None:
    """Return the history row of an attempt that was begun and never said how it ended."""
    if saga.claimed_at is None:
        return None
    return StepRun(
        saga=saga,
        step=saga.due_step,
        direction=saga.due_direction or Direction.DO,
        attempt=saga.attempts,
        epoch=saga.epoch,
        outcome=Outcome.LOST,
        error_message="The attempt was begun and never said how it ended.",
    )


def record(run: StepRun) -> None:
    """Add a history row that changes nothing on the saga."""
    with crash.statement("sagas.record", using=DATABASE):
        run.save(using=DATABASE)


def queue_lease(saga: Saga) -> float:
    """Return the seconds that a message of ``saga`` may wait for a worker.

    Doubles with each recovery in vain, so that a backlog is not fed with copies of itself.
    """
    doubled: float = settings.SAGA_QUEUE_LEASE * 2 ** min(saga.recoveries, 16)
    return min(_LONGEST_QUEUE_LEASE, doubled)


def beat(name: str) -> None:
    """Note that the periodic job ``name`` ran just now."""
    beats = Heartbeat.objects.using(DATABASE)
    with crash.committing("sagas.beat", using=DATABASE):
        beats.update_or_create(name=name, defaults={"beat_at": Now()})


def _as_seen(saga: Saga, *, state: str) -> QuerySet[Saga]:
    return Saga.objects.using(DATABASE).filter(
        pk=saga.pk, epoch=saga.epoch, state=state, revision=saga.revision
    )


def _when(saga: Saga, seconds: float | None) -> Expression | None:
    """Return the moment when recovery looks at ``saga``: no later than it is given up."""
    if seconds is None:
        return None
    moment = in_seconds(seconds)
    return Least(moment, F("deadline_at")) if saga.is_before_pivot else moment


def _error_of(run: StepRun) -> dict[str, Any]:
    return {
        "error_step": run.step,
        "error_direction": run.direction,
        "error_outcome": run.outcome,
        "error_type": run.error_type,
        "error_message": run.error_message,
        "error_at": Now(),
    }
