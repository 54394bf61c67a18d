"""The timeline of an order: what every domain told of its checkout."""

from uuid import UUID

from django.db.models import QuerySet

from orders.models import DATABASE, InboxEntry, TimelineEntry
from sagas.events.facts import Event
from sagas.events.inbox import consumer


@consumer(InboxEntry)
def record(event: Event) -> None:
    """Add an event to the timeline of its checkout; one that belongs to none is left out."""
    if event.saga_id is None:
        return
    TimelineEntry.objects.using(DATABASE).create(
        saga_id=event.saga_id,
        type=event.type,
        payload=dict(event.payload),
        happened_at=event.happened_at,
    )


def timeline_of(*, saga_id: UUID) -> QuerySet[TimelineEntry]:
    """Return what the domains told of a checkout, in order of time; the latest may be missing."""
    return TimelineEntry.objects.using(DATABASE).filter(saga_id=saga_id)
