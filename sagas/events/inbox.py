"""Hear of what happened: each event has its effect once at each consumer, or is shown as dead.

The inbox row, the effect and how it ended are one transaction of the consumer's database. The
row's unique key makes a second copy of the event wait for the first, and then end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from sagas.events import alerts, registry
from sagas.events.facts import Event
from sagas.events.models import AbstractInboxEntry, Handling
from sagas.participant import crash
from sagas.participant.backoff import full_jitter

Handler = Callable[[Event], None]

#: How long an attempt is taken to be at work; after that it is lost, and has counted.
_LEASE = timedelta(seconds=60)


class WorkerLost(Exception):
    """Each attempt took its worker down with it."""


@dataclass(frozen=True)
class Consumer:
    """What a domain does when it hears of an event.

    Args:
        inbox: the domain's inbox model.
        handle: the effect, made of statements on the inbox's database only. Outside calls go
            into a task that is asked for after the commit. Any error is tried again.
    """

    inbox: type[AbstractInboxEntry]
    handle: Handler


def consumer(inbox: type[AbstractInboxEntry]) -> Callable[[Handler], Consumer]:
    """Make a function a consumer; settings.EVENT_CONSUMERS names it by its dotted path."""
    return lambda handle: Consumer(inbox, handle)


def receive(event: Event, name: str, *, is_again: bool = False) -> None:
    """Let one consumer handle ``event``, unless it has heard of it before.

    Args:
        event: as the broker brought it; perhaps for the second time, perhaps out of order.
        name: the consumer's dotted path.
        is_again: the worker that got the message first did not come back from it. The event is
            kept and left to ``retry_due``, which counts its attempts before they begin, so that
            one that kills its worker is given up at last.
    """
    part = registry.consumer(name)
    with crash.committing("sagas.events.receive", using=part.inbox.database, durable=True):
        entry, is_first = _enter(part.inbox, event, name)
        # One that failed before is tried again when its time has come, not by its copies.
        if is_first and not is_again:
            entry.attempts = 1
            _try(part, entry)


def retry_due(inbox: type[AbstractInboxEntry], *, limit: int) -> int:
    """Try again what failed before and is due, the longest overdue first.

    Returns:
        How many were tried.
    """
    for tried in range(limit):
        entry = _claim(inbox)
        if entry is None:
            return tried
        with crash.committing("sagas.events.retry", using=inbox.database, durable=True):
            mine = inbox._base_manager.using(inbox.database).filter(
                pk=entry.pk, attempts=entry.attempts, status=Handling.WAITING
            )
            if mine.select_for_update().exists():
                _try(registry.consumer(entry.consumer), entry)
    return limit


def replay(inbox: type[AbstractInboxEntry], entry_id: UUID) -> bool:
    """Try an event that was given up again, with all its attempts; False if it was not."""
    dead = inbox._base_manager.using(inbox.database).filter(pk=entry_id, status=Handling.DEAD)
    with crash.statement("sagas.events.replay", using=inbox.database):
        return bool(dead.update(status=Handling.WAITING, attempts=0, next_attempt_at=Now()))


def _claim(inbox: type[AbstractInboxEntry]) -> AbstractInboxEntry | None:
    """Take the longest overdue entry for one attempt, which is counted before it begins."""
    rows = inbox._base_manager.using(inbox.database)
    with crash.committing("sagas.events.claim_entry", using=inbox.database, durable=True):
        due = rows.filter(status=Handling.WAITING, next_attempt_at__lte=Now())
        entry = due.order_by("next_attempt_at").select_for_update(skip_locked=True).first()
        if entry is None:
            return None
        entry.attempts += 1
        rows.filter(pk=entry.pk).update(attempts=entry.attempts, next_attempt_at=Now() + _LEASE)
    return entry


def _enter(
    inbox: type[AbstractInboxEntry], event: Event, name: str
) -> tuple[AbstractInboxEntry, bool]:
    """Insert the row, or find the one that is there; the flag says which."""
    rows = inbox._base_manager.using(inbox.database)
    mine = inbox(
        event_id=event.id,
        consumer=name,
        type=event.type,
        aggregate=event.aggregate,
        saga_id=event.saga_id,
        payload=event.payload,
        sequence=event.sequence,
        happened_at=event.happened_at,
        next_attempt_at=Now(),
    )
    # ON CONFLICT DO NOTHING waits for a concurrent writer and does not abort the transaction.
    rows.bulk_create([mine], ignore_conflicts=True)
    found = rows.get(event_id=event.id, consumer=name)
    return found, found.pk == mine.pk


def _try(part: Consumer, entry: AbstractInboxEntry) -> None:
    """Run the effect in a savepoint and write how it ended, all in the caller's transaction."""
    row = entry._meta.model._base_manager.using(entry.database).filter(pk=entry.pk)
    try:
        if entry.attempts > settings.EVENT_ATTEMPTS:
            raise WorkerLost
        with transaction.atomic(using=entry.database):
            part.handle(entry.event)
    except Exception as error:  # noqa: BLE001  (kept on the row, tried again, then shown as dead)
        _note_failure(entry, error)
        row.update(
            status=entry.status,
            attempts=entry.attempts,
            next_attempt_at=_next_attempt(entry),
            last_error=entry.last_error,
        )
    else:
        row.update(
            status=Handling.DONE,
            attempts=entry.attempts,
            next_attempt_at=None,
            last_error="",
            done_at=Now(),
        )


def _note_failure(entry: AbstractInboxEntry, error: Exception) -> None:
    code = getattr(error, "code", "")
    entry.last_error = f"{type(error).__name__} {code}".strip()[:200]
    if entry.attempts >= settings.EVENT_ATTEMPTS:
        entry.status = Handling.DEAD
    told = alerts.given_up if entry.status == Handling.DEAD else alerts.failed
    transaction.on_commit(lambda: told(entry), using=entry.database)


def _next_attempt(entry: AbstractInboxEntry) -> object:
    if entry.status == Handling.DEAD:
        return None
    wait = full_jitter(
        entry.attempts, first=settings.RETRY_FIRST_DELAY, longest=settings.RETRY_MAX_DELAY
    )
    return Now() + timedelta(seconds=wait)
