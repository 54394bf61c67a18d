"""Carries events from the outboxes to the broker: at least once, and in order for an aggregate.

A batch is claimed by a short transaction, published outside of any, and then marked. A relay
that dies in between leaves a claim that runs out: its events are published again, never lost.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

import structlog
from django.conf import settings
from django.db import connections
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from sagas.events import registry
from sagas.events.broker import BROKER_ERRORS
from sagas.events.facts import Event
from sagas.events.models import AbstractOutboxEvent
from sagas.participant import crash

log = structlog.get_logger(__name__)

T = TypeVar("T")

Outbox = type[AbstractOutboxEvent]
#: Hands events for one consumer over to the broker, or raises one of BROKER_ERRORS.
Send = Callable[[Sequence[Event], str], None]

#: Events that one call relays at the most; after fewer, no more were waiting.
BATCH = 100
#: Events in one message at the most: what a consumer handles in one transaction.
_IN_A_MESSAGE = 25
#: How long a relay may be at work on what it claimed; the next one takes it over afterwards.
_LEASE = timedelta(seconds=30)


def relay(outbox: Outbox, *, send: Send) -> int:
    """Publish one batch of what waits, in order; a broker that is away leaves the rest waiting.

    Returns:
        How many events were relayed; fewer than were there if the broker was away.
    """
    # The claim's own clock, begun before it: a relay that froze must not go on with old events.
    until = time.monotonic() + _LEASE.total_seconds() / 2
    if not _waiting(outbox).exists():
        return 0
    relayed: list[int] = []
    claimed = _claim(outbox)
    try:
        for rows in _slices(claimed):
            if time.monotonic() > until:
                break
            for consumer, events in _by_consumer(rows).items():
                send(events, consumer)
            relayed += [row.sequence for row in rows]
    except BROKER_ERRORS as error:
        log.error("events_not_relayed", outbox=outbox._meta.label, error=type(error).__name__)
        _let_go(outbox, [row.sequence for row in claimed[len(relayed) :]])
    _mark(outbox, relayed)
    return len(relayed)


def resend_lost(outbox: Outbox, *, send: Send) -> int:
    """Look whether each consumer has received what was relayed, and publish again what was lost.

    Brokers lose messages, such as one that a worker took just before it was killed.

    Returns:
        How many events were looked at; 0 if the broker was away.
    """
    rows = outbox._base_manager.using(outbox.database)
    lost_after = timedelta(seconds=settings.EVENT_LOST_AFTER)
    old = rows.filter(received_at=None, relayed_at__lte=Now() - lost_after)
    looked_at = list(old.order_by("relayed_at")[:BATCH])
    missing = missing_at_consumers(looked_at)
    lost = {event.sequence for events in missing.values() for event in events}
    received = [row.sequence for row in looked_at if row.sequence not in lost]
    with crash.statement("sagas.events.mark_received", using=outbox.database):
        rows.filter(pk__in=received, received_at=None).update(received_at=Now())
    try:
        for consumer, events in missing.items():
            for some in _slices(events):
                ids = [str(event.id) for event in some]
                log.warning("events_were_lost", event_ids=ids, consumer=consumer)
                send(some, consumer)
    except BROKER_ERRORS as error:
        log.error("events_not_relayed", outbox=outbox._meta.label, error=type(error).__name__)
        return 0
    with crash.statement("sagas.events.mark_resent", using=outbox.database):
        rows.filter(pk__in=lost, received_at=None).update(relayed_at=Now())
    return len(looked_at)


def missing_at_consumers(rows: Sequence[AbstractOutboxEvent]) -> Mapping[str, list[Event]]:
    """Return the events that each consumer has not received, in order; none for most."""
    missing = {}
    for name, events in _by_consumer(sorted(rows, key=lambda row: row.sequence)).items():
        inbox = registry.consumer(name).inbox
        entries = inbox._base_manager.using(inbox.database).filter(
            consumer=name, event_id__in=[event.id for event in events]
        )
        there = set(entries.values_list("event_id", flat=True))
        if lost := [event for event in events if event.id not in there]:
            missing[name] = lost
    return missing


def _by_consumer(rows: Sequence[AbstractOutboxEvent]) -> Mapping[str, list[Event]]:
    """Return what each consumer is to hear, in order."""
    told: dict[str, list[Event]] = {}
    for row in rows:
        for consumer in registry.consumers_of(row.type):
            told.setdefault(consumer, []).append(row.event)
    return told


def _slices(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(rows), _IN_A_MESSAGE):
        yield rows[first : first + _IN_A_MESSAGE]


def _waiting(outbox: Outbox) -> QuerySet[AbstractOutboxEvent]:
    """Return what is to be relayed, and nobody is at work on."""
    free = Q(claimed_until=None) | Q(claimed_until__lte=Now())
    return outbox._base_manager.using(outbox.database).filter(free, relayed_at=None)


def _claim(outbox: Outbox) -> list[AbstractOutboxEvent]:
    """Take the oldest events whose aggregate no other relay is at work on.

    Relays claim one after the other: SKIP LOCKED would let the second take an event whose
    predecessor the first is about to claim, and publish it earlier.
    """
    rows = outbox._base_manager.using(outbox.database)
    with crash.committing("sagas.events.claim", using=outbox.database, durable=True):
        with connections[outbox.database].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [outbox._meta.db_table])
        busy = rows.filter(claimed_until__gt=Now()).values_list("aggregate", flat=True)
        waiting = _waiting(outbox).exclude(aggregate__in=set(busy))
        taken = list(waiting.order_by("sequence")[:BATCH])
        rows.filter(pk__in=[row.pk for row in taken]).update(claimed_until=Now() + _LEASE)
    return taken


def _mark(outbox: Outbox, relayed: Sequence[int]) -> None:
    rows = outbox._base_manager.using(outbox.database).filter(pk__in=relayed, relayed_at=None)
    with crash.statement("sagas.events.mark_relayed", using=outbox.database):
        rows.update(relayed_at=Now(), claimed_until=None)


def _let_go(outbox: Outbox, claimed: Sequence[int]) -> None:
    rows = outbox._base_manager.using(outbox.database).filter(pk__in=claimed, relayed_at=None)
    with crash.statement("sagas.events.let_go", using=outbox.database):
        rows.update(claimed_until=None)
