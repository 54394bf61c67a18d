"""Hear of what happened: each event has its effect once at each consumer, or is shown as dead.

The inbox rows, the effect and how it ended are one transaction of the consumer's database. The
rows' unique key makes a second copy of an event wait for the first, and then end.
"""

from collections.abc import Callable, Sequence
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
HandlerOfMany = Callable[[Sequence[Event]], None]

#: How long an attempt is taken to be at work; after that it is lost, and has counted.
_LEASE = timedelta(seconds=60)


class WorkerLost(Exception):
    """Each attempt took its worker down with it."""


@dataclass(frozen=True)
class Consumer:
    """What a domain does when it hears of an event.

    Args:
        inbox: the domain's inbox model.
        handle: the effect of some events, made of statements on the inbox's database only.
            Outside calls go into a task that is asked for after the commit. Any error is tried
            again, for each event alone.
    """

    inbox: type[AbstractInboxEntry]
    handle: HandlerOfMany


def consumer(inbox: type[AbstractInboxEntry]) -> Callable[[Handler], Consumer]:
    """Make a function a consumer; settings.EVENT_CONSUMERS names it by its dotted path."""

    def made(handle: Handler) -> Consumer:
        def handle_each(events: Sequence[Event]) -> None:
            for event in events:
                handle(event)

        return Consumer(inbox, handle_each)

    return made


def consumer_of_many(inbox: type[AbstractInboxEntry]) -> Callable[[HandlerOfMany], Consumer]:
    """The same for a function that takes some events at once: fewer statements for what is told
    of every checkout."""
    return lambda handle: Consumer(inbox, handle)


def receive(events: Sequence[Event], name: str, *, is_again: bool = False) -> None:
    """Let one consumer handle those of ``events`` that it has not heard of before.

    Args:
        events: as the broker brought them; perhaps for the second time, perhaps out of order.
        name: the consumer's dotted path.
        is_again: the worker that got the message first did not come back from it. The events are
            kept and left to ``retry_due``, which counts the attempts of each before they begin,
            so that one that kills its worker is given up at last.
    """
    part = registry.consumer(name)
    with crash.committing("sagas.events.receive", using=part.inbox.database, durable=True):
        entries = _enter(part.inbox, events, name)
        # Those that failed before are tried again when their time has come, not by their copies.
        if entries and not is_again:
            for entry in entries:
                entry.attempts = 1
            _try(part, entries)


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
                _try(registry.consumer(entry.consumer), [entry])
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
    inbox: type[AbstractInboxEntry], events: Sequence[Event], name: str
) -> list[AbstractInboxEntry]:
    """Insert the rows of ``events``; return those that were not there before, in order."""
    rows = inbox._base_manager.using(inbox.database)
    mine = {
        event.id: inbox(
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
        for event in events
    }
    # ON CONFLICT DO NOTHING waits for a concurrent writer and does not abort the transaction.
    # Two messages with the same events insert them in one order, and so wait for each other once.
    rows.bulk_create([mine[each] for each in sorted(mine)], ignore_conflicts=True)
    there = rows.filter(pk__in=[entry.pk for entry in mine.values()])
    first = set(there.values_list("pk", flat=True))
    return [entry for entry in mine.values() if entry.pk in first]


def _try(part: Consumer, entries: Sequence[AbstractInboxEntry]) -> None:
    """Run the effect in a savepoint and write how it ended, all in the caller's transaction.

    If it fails, each event is tried alone: one that fails holds up none of the others.
    """
    using = part.inbox.database
    rows = part.inbox._base_manager.using(using).filter(pk__in=[entry.pk for entry in entries])
    try:
        if any(entry.attempts > settings.EVENT_ATTEMPTS for entry in entries):
            raise WorkerLost
        with transaction.atomic(using=using):
            part.handle([entry.event for entry in entries])
    except Exception as error:  # noqa: BLE001  (kept on the row, tried again, then shown as dead)
        if len(entries) > 1:
            for entry in entries:
                _try(part, [entry])
            return
        [entry] = entries
        _note_failure(entry, error)
        rows.update(
            status=entry.status,
            attempts=entry.attempts,
            next_attempt_at=_next_attempt(entry),
            last_error=entry.last_error,
        )
    else:
        rows.update(
            status=Handling.DONE,
            attempts=entries[0].attempts,
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
