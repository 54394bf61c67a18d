"""The only writer of saga rows. Every write is counted: it hits the row the caller saw, or nothing.

A write names the epoch, the state and the revision that it was decided on. The epoch
fences whoever was dispatched before; the revision also tells two copies of one message
apart where the state does not change (running -> running, COMPENSATING -> COMPENSATING).
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connections
from django.db.models import BooleanField, Expression, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Now
from django.db.models.lookups import LessThanOrEqual
from psycopg.types.json import Jsonb

from sagas import statements
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

_READ = statements.READ.format(
    columns=", ".join(f"saga.{field.column}" for field in Saga._meta.concrete_fields)
)

_SETTLED = (COMPLETE, COMPENSATED)
_WRITTEN_AS_IT_STANDS = (
    "state",
    "reached",
    "attempts",
    "recoveries",
    "parked",
    "reason",
    "reason_step",
    "reason_detail",
)
_WRITTEN_AS_JSON = ("results", "undone", "given_up")

#: The longest time, in seconds, between two looks whether a message still waits in its queue.
_LONGEST_WAIT = 60.0


class Place(NamedTuple):
    """Where in their story sagas stand."""

    kind: str
    version: int
    state: str


class Superseded(Exception):
    """Someone else took the saga over since it was read; this caller must stop quietly."""


def in_seconds(seconds: float) -> Expression:
    """Return the moment ``seconds`` from now, on the database's clock."""
    return Now() + Value(timedelta(seconds=seconds))


def read(saga_id: UUID, *, step: str = "") -> Saga:
    """Read a saga with ``past_deadline`` and ``is_due``, as the database's clock has it.

    Args:
        saga_id: which.
        step: tell in ``step_is_held`` whether a switch holds this step of its kind back.

    Raises:
        Saga.DoesNotExist: there is none.
    """
    values = {"id": saga_id, "step": step}
    found = next(iter(Saga.objects.using(DATABASE).raw(_READ, values)), None)
    if found is None:
        raise Saga.DoesNotExist(f"no saga {saga_id}")
    return found


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
    a worker that died is set free by the next dispatch, when the lease has run out or recovery
    has seen that the worker's session is gone.

    Args:
        saga: as read; its revision is the guard.
        time_limit: seconds that the attempt may run.

    Raises:
        Superseded: the row is not what was read any more.
    """
    lease = time_limit + settings.SAGA_LEASE_MARGIN
    with crash.statement("sagas.claim", using=DATABASE):
        claimed = _execute(statements.CLAIM, _as_seen(saga, saga.state) | {"lease": lease})
    if not claimed:
        raise Superseded(f"saga {saga.pk} was claimed or dispatched by someone else")
    saga.revision += 1
    saga.attempts += 1


def end_orphaned_leases() -> int:
    """Let the leases of claims whose sessions are gone run out now; return how many.

    PostgreSQL ends a session as soon as its client is dead, so that nobody has to wait for the rest
    of the lease. A worker that is alive and only lost its connection is taken over, too: that
    is safe, as it is after any lease, and it could not save without a new session anyway. Where
    a pooler keeps sessions of dead clients, or a network says nothing, the lease decides.
    """
    with crash.statement("sagas.end_orphaned_leases", using=DATABASE):
        return _execute(statements.END_ORPHANED_LEASES, {})


def places_overdue() -> set[Place]:
    """Return where sagas stand that have waited for a worker for longer than their lease."""
    waiting = due_sagas().filter(claimed_at=None, next_attempt_at=None).order_by()
    return {Place(*row) for row in waiting.values_list("kind", "version", "state").distinct()}


def sent_since(places: Mapping[Place, bool], *, newest: int) -> datetime | None:
    """Return when the oldest of the ``newest`` messages was sent; None if fewer sagas wait.

    Args:
        places: where the sagas stand, and whether before their pivot.
        newest: how many messages, 1 or more.
    """
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(statements.SENT_SINCE, _columns_of(places) | {"newest": newest})
        row = cursor.fetchone()
    return row[0] if row else None


def came_through(parts: Collection[tuple[str, Direction]]) -> datetime | None:
    """Return a moment at or after which a message was sent that a worker has run since.

    Args:
        parts: steps, and the direction in which the queue's messages run them.

    Returns:
        The latest such moment that the history tells of; None if it tells of none.
    """
    values = {
        "steps": [step for step, _ in parts],
        "directions": [direction.value for _, direction in parts],
    }
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(statements.CAME_THROUGH, values)
        at: datetime | None = cursor.fetchone()[0]
    return at


def leave_queued(places: Mapping[Place, bool], *, since: datetime | None, limit: int) -> int:
    """Extend the run-out leases of sagas whose messages still wait for a worker; return how many.

    The message stays good, as the epoch stays. A worker that takes it just now may find the row
    changed and leave it: then recovery sends it again, as one that is lost.

    Args:
        places: where the sagas stand, and whether before their pivot.
        since: those whose message was sent then or later; None for all.
        limit: how many at the most.
    """
    values = {
        "shortest": settings.SAGA_QUEUE_LEASE / 2,
        "longest": _LONGEST_WAIT,
        "since": since,
        "limit": limit,
    }
    with crash.statement("sagas.leave_queued", using=DATABASE):
        return _execute(statements.LEAVE_QUEUED, _columns_of(places) | values)


def save(
    saga: Saga,
    *,
    seen_state: str,
    run: StepRun | None = None,
    lease: float | None = None,
    wait: float | None = None,
    raise_epoch: bool = False,
) -> None:
    """Write the saga as it stands in memory, and its history row, in one statement.

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
    values = _as_seen(saga, seen_state) | {
        **{name: getattr(saga, name) for name in _WRITTEN_AS_IT_STANDS},
        **{name: Jsonb(getattr(saga, name)) for name in _WRITTEN_AS_JSON},
        "raised": int(raise_epoch),
        "lease": lease,
        "wait": wait,
        "is_capped": (lease, wait) != (None, None) and saga.is_before_pivot,
        "is_parked": bool(saga.parked),
        "is_settled": saga.state in _SETTLED,
    }
    statement = statements.SAVE
    if run is not None:
        values |= _history_of(run)
        succeeded = run.outcome == Outcome.SUCCEEDED
        statement = statements.SAVE_SUCCESS if succeeded else statements.SAVE_FAILURE
    with crash.statement("sagas.save", using=DATABASE):
        saved = _execute(statement, values)
    if not saved:
        raise Superseded(f"saga {saga.pk} moved on since it was read in state {seen_state}")
    saga.epoch += int(raise_epoch)
    saga.revision += 1


def fence(saga: Saga) -> None:
    """Raise the epoch of a saga, so that whoever was dispatched before cannot save any more."""
    if saga.next_attempt_at is None:
        saga.recoveries += 1
    lost = lost_run(saga)
    save(saga, seen_state=saga.state, run=lost, lease=settings.SAGA_QUEUE_LEASE, raise_epoch=True)


def touch(saga: Saga) -> None:
    """Raise the revision and change nothing else, so that whoever read it before is too late.

    Raises:
        Superseded: the row is not what was read any more.
    """
    with crash.statement("sagas.touch", using=DATABASE):
        touched = _execute(statements.TOUCH, _as_seen(saga, saga.state))
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
        _execute(statements.RECORD, {"id": run.saga_id, **_history_of(run)})


def beat(name: str) -> None:
    """Note that the periodic job ``name`` ran just now."""
    beats = Heartbeat.objects.using(DATABASE)
    with crash.committing("sagas.beat", using=DATABASE):
        beats.update_or_create(name=name, defaults={"beat_at": Now()})


def _execute(statement: str, values: Mapping[str, Any]) -> int:
    """Run one of ``sagas.statements`` and return how many rows it wrote."""
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(statement, values)
        written: int = cursor.rowcount
    return written


def _columns_of(places: Mapping[Place, bool]) -> dict[str, Any]:
    return {
        "kinds": [place.kind for place in places],
        "versions": [place.version for place in places],
        "states": [place.state for place in places],
        "before_pivot": list(places.values()),
    }


def _as_seen(saga: Saga, seen_state: str) -> dict[str, Any]:
    """Return the values of ``statements.AS_SEEN``."""
    return {"id": saga.pk, "epoch": saga.epoch, "seen": seen_state, "revision": saga.revision}


def _history_of(run: StepRun) -> dict[str, Any]:
    return {
        "step": run.step,
        "direction": run.direction,
        "attempt": run.attempt,
        "run_epoch": run.epoch,
        "outcome": run.outcome,
        "worker": run.worker,
        "duration_ms": run.duration_ms,
        "error_type": run.error_type,
        "error_code": run.error_code,
        "error_message": run.error_message,
        "result": Jsonb(run.result),
    }
