"""Finds what is due and dispatches it: by celery-beat, and whenever a worker starts."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from celery import shared_task, signals
from django.conf import settings
from django.db.models import Q

from sagas import backlog, journal, operations, registry, tasks
from sagas.errors import note_of
from sagas.models import Parked
from sagas.operations import Dispatch
from sagas.participant import crash

log = structlog.get_logger(__name__)

HEARTBEAT = "recovery"


@dataclass
class Recovered:
    """What one tick did: dispatched, left alone, and sagas whose dispatch raised an error."""

    dispatched: list[UUID] = field(default_factory=list)
    left_alone: list[UUID] = field(default_factory=list)
    errors: list[UUID] = field(default_factory=list)


def recover(*, limit: int | None = None) -> Recovered:
    """Dispatch the sagas whose lease or back-off has run out, the longest overdue first.

    The lease of a step whose worker died runs out here, whatever was left of it; that of a message
    which only waits in a long queue is extended.

    Each saga is dispatched in a transaction of its own and locked with SKIP LOCKED, so that
    several recoveries share the work and one bad row stops none of the others. A broker
    that is away ends the tick: the rows stay due.

    Args:
        limit: how many sagas at the most; settings.SAGA_RECOVERY_BATCH by default.
    """
    journal.beat(HEARTBEAT)
    if settings.SAGA_WATCH_SESSIONS:
        journal.end_orphaned_leases()
    backlog.leave_queued()
    done = Recovered()
    for saga_id in _waiting(limit or settings.SAGA_RECOVERY_BATCH):
        try:
            result = operations.dispatch(saga_id, only_if_due=True)
        except Exception as error:  # noqa: BLE001
            # One bad row must not stop the others; it stays due and is seen again next tick.
            note = note_of(error)
            log.error(
                "recovery_of_one_saga_failed",
                saga_id=str(saga_id),
                error=note.type,
                detail=note.message,
            )
            done.errors.append(saga_id)
            continue
        (done.dispatched if result is Dispatch.SENT else done.left_alone).append(saga_id)
        if result is Dispatch.NOT_PUBLISHED:
            break
    if done.dispatched or done.errors:
        log.info("recovered", dispatched=len(done.dispatched), errors=len(done.errors))
    return done


def _waiting(limit: int) -> list[UUID]:
    """Return the ids of due sagas, and of those parked by older code that this code knows."""
    due = journal.due_sagas().values_list("pk", flat=True)[:limit]
    known = Q(pk__in=[])
    for kind, version in registry.known():
        known |= Q(kind=kind, version=version)
    unknown_before = (
        journal.sagas_now()
        .filter(known, parked=Parked.UNKNOWN_VERSION)
        .values_list("pk", flat=True)[:limit]
    )
    return [*due, *unknown_before]


@shared_task(name="sagas.recover")
def recover_task(**_: Any) -> None:
    """One tick of the periodic recovery."""
    recover()


@shared_task(name=tasks.WAKE)
def wake(*, saga_id: str, **_: Any) -> None:
    """Dispatch one saga whose time has come: the fast path of the periodic recovery."""
    operations.dispatch(UUID(saga_id), only_if_due=True)


@signals.worker_ready.connect
def _recover_when_a_worker_starts(**_: Any) -> None:
    """What a crash left behind is not to wait for the next tick."""
    try:
        with crash.calling("sagas.ask_for_recovery"):
            recover_task.apply_async(queue=tasks.RECOVERY_QUEUE)
    except tasks.BROKER_ERRORS as error:
        log.warning("recovery_not_asked_for", error=type(error).__name__)
