"""Sends what is due at one endpoint: one request at a time, with back-off, jitter and an end.

An endpoint has a lease, so that a slow one holds up one worker at the most. A delivery has a
claim, so that one worker makes an attempt, and one that dies leaves a time for the next.
"""

import random
import time
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Now

from notifications import alerts
from notifications.models import (
    DATABASE,
    DeliveryStatus,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from notifications.webhooks import conversation, steering
from notifications.webhooks.conversation import Answer
from sagas.participant import crash

#: Seconds after which a worker leaves the rest of an endpoint to the next turn.
_SLICE = 8.0
#: How long an endpoint, and an attempt, are taken to be in a worker's hands.
_LEASE = timedelta(seconds=60)

#: After the n-th failure: 5 s, 20 s, 80 s, 5 min, 21 min, 85 min, 6 h, 23 h, 24 h, 24 h.
_FIRST, _FACTOR, _LONGEST = 5.0, 4, 86_400.0
#: Attempts at the most; the last one comes about three days after the first.
ATTEMPTS = 11


def wait_after(attempt: int) -> timedelta:
    """Return how long to wait after the ``attempt``-th failure, a quarter more or less."""
    wait = min(_LONGEST, _FIRST * _FACTOR ** (attempt - 1))
    return timedelta(seconds=wait * random.uniform(0.75, 1.25))  # noqa: S311  (spreads load)


def deliver_due(endpoint_id: UUID) -> bool:
    """Send what is due at an endpoint, in order, until a failure or the end of the slice.

    Returns:
        Whether more is due just now.
    """
    endpoint = _lease(endpoint_id)
    if endpoint is None:
        return False
    until, is_well = time.monotonic() + _SLICE, True
    try:
        while is_well and time.monotonic() < until:
            delivery = _claim(endpoint)
            if delivery is None:
                return False
            is_well = _attempt(endpoint, delivery)
    finally:
        _end_lease(endpoint)
    # A sick endpoint gets one attempt a turn, so that its backlog costs nobody much.
    return is_well and _due(endpoint).exists()


def busy_endpoints() -> list[UUID]:
    """Return the endpoints at which something is due and nobody is at work."""
    free = Q(busy_until=None) | Q(busy_until__lte=Now())
    due = WebhookDelivery.objects.using(DATABASE).filter(
        status=DeliveryStatus.PENDING, next_attempt_at__lte=Now()
    )
    endpoints = WebhookEndpoint.objects.using(DATABASE).filter(free, disabled_at=None)
    return list(endpoints.filter(pk__in=due.values("endpoint")).values_list("pk", flat=True))


def _lease(endpoint_id: UUID) -> WebhookEndpoint | None:
    """Take an endpoint for one slice; None while another worker has it, or it is turned off."""
    free = Q(busy_until=None) | Q(busy_until__lte=Now())
    rows = WebhookEndpoint.objects.using(DATABASE).filter(pk=endpoint_id)
    with crash.statement("notifications.lease_endpoint", using=DATABASE):
        taken = rows.filter(free, disabled_at=None).update(busy_until=Now() + _LEASE)
    return rows.get() if taken else None


def _end_lease(endpoint: WebhookEndpoint) -> None:
    mine = WebhookEndpoint.objects.using(DATABASE).filter(
        pk=endpoint.pk, busy_until=endpoint.busy_until
    )
    with crash.statement("notifications.end_lease", using=DATABASE):
        mine.update(busy_until=None)


def _due(endpoint: WebhookEndpoint) -> QuerySet[WebhookDelivery]:
    return WebhookDelivery.objects.using(DATABASE).filter(
        endpoint=endpoint, status=DeliveryStatus.PENDING, next_attempt_at__lte=Now()
    )


def _claim(endpoint: WebhookEndpoint) -> WebhookDelivery | None:
    """Take the longest overdue delivery for one attempt; None if there is none."""
    while delivery := _due(endpoint).order_by("next_attempt_at", "id").first():
        if delivery.attempts >= ATTEMPTS:
            _give_up(delivery, "attempt-lost")
            continue
        with crash.statement("notifications.claim_delivery", using=DATABASE):
            claimed = (
                _due(endpoint)
                .filter(pk=delivery.pk, attempts=delivery.attempts)
                .update(attempts=delivery.attempts + 1, next_attempt_at=Now() + _LEASE)
            )
        if claimed:
            delivery.attempts += 1
            return delivery
    return None


def _attempt(endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> bool:
    seeds = steering.seeds_in_force(endpoint)
    with crash.calling("notifications.post_webhook"):
        answer = conversation.post(delivery, url=endpoint.url, seeds=seeds, now=time.time())
    with crash.committing("notifications.note_attempt", using=DATABASE, durable=True):
        WebhookAttempt.objects.using(DATABASE).create(
            delivery=delivery,
            number=delivery.attempts,
            status_code=answer.status_code,
            error=answer.error,
            duration_ms=answer.duration_ms,
        )
        _note(endpoint, delivery, answer)
    return answer.is_good


def _note(endpoint: WebhookEndpoint, delivery: WebhookDelivery, answer: Answer) -> None:
    """Write down how the attempt ended, unless the delivery was claimed anew since."""
    mine = WebhookDelivery.objects.using(DATABASE).filter(
        pk=delivery.pk, attempts=delivery.attempts, status=DeliveryStatus.PENDING
    )
    this = WebhookEndpoint.objects.using(DATABASE).filter(pk=endpoint.pk)
    if answer.is_good:
        mine.update(
            status=DeliveryStatus.DELIVERED,
            delivered_at=Now(),
            next_attempt_at=None,
            last_error="",
        )
        this.update(failing_since=None)
        return
    if delivery.attempts >= ATTEMPTS:
        _give_up(delivery, answer.error)
    else:
        mine.update(next_attempt_at=Now() + wait_after(delivery.attempts), last_error=answer.error)
    this.update(failing_since=Coalesce("failing_since", Now()))
    if answer.is_gone:
        steering.disable(endpoint.pk, why="gone")
    elif this.filter(failing_since__lte=Now() - _patience()).exists():
        steering.disable(endpoint.pk, why="failing")


def _give_up(delivery: WebhookDelivery, why: str) -> None:
    mine = WebhookDelivery.objects.using(DATABASE).filter(
        pk=delivery.pk, attempts=delivery.attempts, status=DeliveryStatus.PENDING
    )
    with crash.statement("notifications.give_up_delivery", using=DATABASE):
        gave_up = mine.update(status=DeliveryStatus.GIVEN_UP, next_attempt_at=None, last_error=why)
    if gave_up:
        delivery.last_error = why
        transaction.on_commit(lambda: alerts.delivery_given_up(delivery), using=DATABASE)


def _patience() -> timedelta:
    return timedelta(seconds=settings.WEBHOOK_DISABLE_AFTER)
