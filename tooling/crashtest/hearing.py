"""What the domains told each other of the checkouts of a case: each event heard, once."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db.models import Count, QuerySet
from django.db.models.functions import Now

from orders.models import TimelineEntry
from sagas.events import registry
from sagas.events.models import AbstractInboxEntry, AbstractOutboxEvent, Handling
from sagas.events.relay import missing_at_consumers
from tooling.crashtest.shop import Shop

#: How long a relay claims what it publishes; one that is at work needs much less of it.
_LEASE = timedelta(seconds=30)
_AT_WORK = timedelta(seconds=2)


def unheard(ids: Sequence[UUID]) -> list[str]:
    """Return the events of these checkouts that a consumer has not handled, or has twice."""
    told = [row for outbox in outboxes(ids) for row in outbox]
    twice = (
        TimelineEntry.objects.using("orders")
        .filter(saga_id__in=ids)
        .values_list("saga_id", "type", "happened_at")
        .annotate(times=Count("id"))
        .filter(times__gt=1)
        .order_by()
    )
    return [
        *(f"{event.type} of {event.saga_id} was never heard by {consumer}"
          for consumer, events in missing_at_consumers(told).items() for event in events),
        *(f"{entry} of {entry.saga_id}: {entry.last_error}"
          for inbox in inboxes(ids) for entry in inbox.exclude(status=Handling.DONE)),
        *(f"{kind} of {saga_id} is {times} times on the timeline"
          for saga_id, kind, _, times in twice),
    ]  # fmt: skip


def time_passes(shop: Shop, ids: Sequence[UUID]) -> None:
    """What dead relays and consumers had in hand is free again, and a tick sees to it."""
    for outbox in outboxes(ids):
        dead = outbox.filter(claimed_until__lt=Now() + _LEASE - _AT_WORK)
        dead.update(claimed_until=Now())
    for inbox in inboxes(ids):
        inbox.filter(status=Handling.WAITING).update(next_attempt_at=Now())
    shop.ask_for("events.tick", queue="events")


def outboxes(ids: Sequence[UUID]) -> list[QuerySet[AbstractOutboxEvent]]:
    """Return what each domain told of these checkouts."""
    return [
        model._base_manager.using(model.database).filter(saga_id__in=ids)
        for model in registry.outboxes()
    ]


def inboxes(ids: Sequence[UUID]) -> list[QuerySet[AbstractInboxEntry]]:
    """Return what each domain heard of these checkouts."""
    return [
        model._base_manager.using(model.database).filter(saga_id__in=ids)
        for model in registry.inboxes()
    ]
