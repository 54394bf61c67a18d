"""The timeline of an order: what every domain told of its checkout."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import QuerySet

from orders.models import DATABASE, InboxEntry, TimelineEntry
from sagas.events.facts import Event
from sagas.events.inbox import consumer_of_many


@consumer_of_many(InboxEntry)
def record(events: Sequence[Event]) -> None:
    """Add events to the timelines of their checkouts; one that belongs to none is left out."""
    TimelineEntry.objects.using(DATABASE).bulk_create(
        TimelineEntry(
            saga_id=event.saga_id,
            type=event.type,
            payload=dict(event.payload),
            happened_at=event.happened_at,
        )
        for event in events
        if event.saga_id is not None
    )


def timeline_of(*, saga_id: UUID) -> QuerySet[TimelineEntry]:
    """Return what the domains told of a checkout, in order of time; the latest may be missing."""
    return TimelineEntry.objects.using(DATABASE).filter(saga_id=saga_id)
