"""From an event to its deliveries: one row for each endpoint that wants it."""

import json
from collections.abc import Sequence
from typing import Any

from celery import current_app
from django.db import transaction
from django.db.models.functions import Now

from notifications import alerts
from notifications.models import (
    DATABASE,
    DeliveryStatus,
    InboxEntry,
    WebhookDelivery,
    WebhookEndpoint,
)
from sagas.events.broker import BROKER_ERRORS
from sagas.events.facts import Event
from sagas.events.inbox import consumer_of_many
from sagas.participant import crash

QUEUE = "outgoing"
#: The task that sends what is due at one endpoint; called by name, as it stands above.
DELIVER = "notifications.deliver_webhooks"
#: Why a delivery was not even tried.
ENDPOINT_OFF = "endpoint-off"


@consumer_of_many(InboxEntry)
def queue(events: Sequence[Event]) -> None:
    """Write a delivery for each endpoint that wants an event.

    One that is turned off gets its row too, given up: staff can replay what it missed.
    """
    endpoints = list(WebhookEndpoint.objects.using(DATABASE).all())
    bodies = {event.id: json.dumps(_document(event), separators=(",", ":")) for event in events}
    deliveries = [
        _delivery(endpoint, event, bodies[event.id])
        for event in events
        for endpoint in endpoints
        if event.type in endpoint.event_types
    ]
    WebhookDelivery.objects.using(DATABASE).bulk_create(deliveries, ignore_conflicts=True)
    wanted = {delivery.endpoint_id for delivery in deliveries}
    for endpoint in endpoints:
        if endpoint.pk in wanted and endpoint.disabled_at is None:
            _ask_after_commit(str(endpoint.pk))


def ask_to_deliver(endpoint_id: str) -> None:
    """Ask a worker to send what is due at an endpoint; without a broker the tick does."""
    try:
        with crash.calling("notifications.ask_to_deliver"):
            current_app.send_task(DELIVER, kwargs={"endpoint_id": endpoint_id}, queue=QUEUE)
    except BROKER_ERRORS as error:
        alerts.log.warning("webhooks_not_asked_for", error=type(error).__name__)


def _ask_after_commit(endpoint_id: str) -> None:
    transaction.on_commit(lambda: ask_to_deliver(endpoint_id), using=DATABASE)


def _delivery(endpoint: WebhookEndpoint, event: Event, body: str) -> WebhookDelivery:
    is_off = endpoint.disabled_at is not None
    return WebhookDelivery(
        endpoint=endpoint,
        event_id=event.id,
        type=event.type,
        body=body,
        status=DeliveryStatus.GIVEN_UP if is_off else DeliveryStatus.PENDING,
        next_attempt_at=None if is_off else Now(),
        last_error=ENDPOINT_OFF if is_off else "",
    )


def _document(event: Event) -> dict[str, Any]:
    """Return what a receiver reads; ``sequence`` rises with the events of one aggregate."""
    return {
        "type": event.type,
        "timestamp": event.happened_at.isoformat(),
        "aggregate": event.aggregate,
        "sequence": event.sequence,
        "data": {**event.payload, **({"checkout_id": str(event.saga_id)} if event.saga_id else {})},
    }
