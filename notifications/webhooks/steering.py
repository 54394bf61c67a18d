"""What staff, and long failure, do to endpoints: on, off, a new secret, replay."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from notifications import alerts
from notifications.models import DATABASE, DeliveryStatus, WebhookDelivery, WebhookEndpoint
from notifications.webhooks import queueing, signing
from sagas.participant import crash

#: How long the secret before a new one goes on signing, beside it.
OVERLAP = timedelta(hours=24)
#: How long deliveries and their attempts are kept.
KEPT = timedelta(days=30)
_AT_ONCE = 5_000


def seeds_in_force(endpoint: WebhookEndpoint) -> Sequence[str]:
    """Return the seeds of the secrets that sign now, the newest first."""
    overlapping = WebhookEndpoint.objects.using(DATABASE).filter(
        pk=endpoint.pk, previous_until__gt=Now()
    )
    return [endpoint.seed, *overlapping.values_list("previous_seed", flat=True)]


def show_secret(endpoint_id: UUID) -> str | None:
    """Return an endpoint's secret the first time that it is asked for, and None ever after."""
    rows = WebhookEndpoint.objects.using(DATABASE).filter(pk=endpoint_id)
    with crash.statement("notifications.show_secret", using=DATABASE):
        first = rows.filter(secret_shown_at=None).update(secret_shown_at=Now())
    return signing.secret_of(rows.get().seed) if first else None


def rotate(endpoint_id: UUID) -> None:
    """Sign with a new secret from now on, and with the one before for 24 hours more."""
    rows = WebhookEndpoint.objects.using(DATABASE).filter(pk=endpoint_id)
    with crash.statement("notifications.rotate_secret", using=DATABASE):
        rows.update(
            previous_seed=F("seed"),
            previous_until=Now() + OVERLAP,
            seed=signing.new_seed(),
            secret_shown_at=None,
        )


def disable(endpoint_id: UUID, *, why: str) -> bool:
    """Send nothing more to an endpoint; what waits is given up, to be replayed.

    Args:
        why: a code; ``failing`` and ``gone`` raise an alert, for nobody asked for them.

    Returns:
        False if it was off already.
    """
    rows = WebhookEndpoint.objects.using(DATABASE).filter(pk=endpoint_id, disabled_at=None)
    with crash.committing("notifications.disable_endpoint", using=DATABASE):
        if not rows.update(disabled_at=Now(), disabled_why=why):
            return False
        WebhookDelivery.objects.using(DATABASE).filter(
            endpoint_id=endpoint_id, status=DeliveryStatus.PENDING
        ).update(
            status=DeliveryStatus.GIVEN_UP,
            next_attempt_at=None,
            last_error=queueing.ENDPOINT_OFF,
        )
        if why != "by hand":
            endpoint = WebhookEndpoint.objects.using(DATABASE).get(pk=endpoint_id)
            transaction.on_commit(lambda: alerts.endpoint_disabled(endpoint, why), using=DATABASE)
    return True


def enable(endpoint_id: UUID) -> bool:
    """Send events to an endpoint again, from now on; False if it was on already."""
    rows = WebhookEndpoint.objects.using(DATABASE).filter(pk=endpoint_id)
    with crash.statement("notifications.enable_endpoint", using=DATABASE):
        return bool(
            rows.filter(disabled_at__isnull=False).update(
                disabled_at=None, disabled_why="", failing_since=None
            )
        )


def replay(delivery_id: UUID) -> bool:
    """Send one delivery again, also one that was taken; the receiver knows the double by its id.

    Returns:
        False if it is being sent anyway, or its endpoint is off.
    """
    rows = WebhookDelivery.objects.using(DATABASE).filter(
        pk=delivery_id, endpoint__disabled_at=None
    )
    endpoints = list(rows.values_list("endpoint", flat=True))
    if not endpoints or not _again([delivery_id]):
        return False
    queueing.ask_to_deliver(str(endpoints[0]))
    return True


def replay_range(
    endpoint_id: UUID, *, since: datetime, until: datetime, only_given_up: bool
) -> int:
    """Send again what was written for an endpoint in a span of time.

    Returns:
        How many deliveries; those that are being sent anyway are left alone.
    """
    rows = WebhookDelivery.objects.using(DATABASE).filter(
        endpoint_id=endpoint_id,
        endpoint__disabled_at=None,
        created_at__gte=since,
        created_at__lt=until,
    )
    rows = rows.exclude(status=DeliveryStatus.PENDING)
    if only_given_up:
        rows = rows.filter(status=DeliveryStatus.GIVEN_UP)
    again = 0
    while keys := list(rows.order_by("id").values_list("pk", flat=True)[:_AT_ONCE]):
        again += _again(keys)
    if again:
        queueing.ask_to_deliver(str(endpoint_id))
    return again


def purge() -> int:
    """Forget deliveries that were written 30 days ago or earlier, with their attempts."""
    rows, purged = WebhookDelivery.objects.using(DATABASE), 0
    old = rows.filter(created_at__lte=Now() - KEPT).exclude(status=DeliveryStatus.PENDING)
    while keys := list(old.order_by("created_at").values_list("pk", flat=True)[:_AT_ONCE]):
        with crash.committing("notifications.purge_deliveries", using=DATABASE):
            rows.filter(pk__in=keys).delete()
        purged += len(keys)
    return purged


def _again(keys: Sequence[UUID]) -> int:
    rows = WebhookDelivery.objects.using(DATABASE).filter(pk__in=keys)
    with crash.statement("notifications.replay_delivery", using=DATABASE):
        return rows.exclude(status=DeliveryStatus.PENDING).update(
            status=DeliveryStatus.PENDING,
            attempts=0,
            next_attempt_at=Now(),
            delivered_at=None,
            last_error="",
        )
