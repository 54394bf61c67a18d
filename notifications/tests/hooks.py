"""Endpoints and events for the tests of webhooks."""

from datetime import UTC, datetime
from uuid import UUID

from django.db.models.functions import Now

from notifications.models import DATABASE, DeliveryStatus, WebhookDelivery, WebhookEndpoint
from notifications.webhooks import sending, signing
from sagas.events import inbox
from sagas.events.facts import Event, new_event_id

QUEUE = "notifications.webhooks.queueing.queue"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def endpoint(url: str, *event_types: str) -> WebhookEndpoint:
    return WebhookEndpoint.objects.using(DATABASE).create(
        url=url, event_types=event_types or ["order_confirmed"], seed=signing.new_seed()
    )


def happens(event_type: str = "order_confirmed", *, number: int = 1) -> Event:
    """Let an event come to the consumer that writes deliveries."""
    event = Event(
        id=new_event_id(),
        type=event_type,
        aggregate="order:1",
        saga_id=UUID(int=7),
        payload={"number": "MG-7K3M9QXA", "total": 2500 + number, "currency": "EUR"},
        sequence=number,
        happened_at=NOON,
    )
    inbox.receive([event], QUEUE)
    return event


def make_due() -> None:
    WebhookDelivery.objects.using(DATABASE).filter(status=DeliveryStatus.PENDING).update(
        next_attempt_at=Now()
    )


def send(to: WebhookEndpoint) -> bool:
    """Let everything be due and send it, as a worker does."""
    make_due()
    return sending.deliver_due(to.pk)


def deliveries() -> list[WebhookDelivery]:
    return list(WebhookDelivery.objects.using(DATABASE).order_by("id"))


def again(of: WebhookEndpoint) -> WebhookEndpoint:
    """Return the endpoint as it is now."""
    return WebhookEndpoint.objects.using(DATABASE).get(pk=of.pk)
