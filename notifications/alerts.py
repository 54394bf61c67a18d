"""Tells people that somebody could not be told: ids, SKUs and codes only.

settings.LOGGING sends CRITICAL events of ``notifications.alerts`` to ALERT_EMAILS as well.
"""

import structlog

from notifications.models import Notice, WebhookDelivery, WebhookEndpoint

log = structlog.get_logger(__name__)


def notice_given_up(notice: Notice, why: str) -> None:
    """A mail about a product was not sent in all its attempts, or was refused."""
    log.error(
        "notice_given_up", notice_id=str(notice.pk), topic=notice.topic, sku=notice.sku, error=why
    )


def delivery_given_up(delivery: WebhookDelivery) -> None:
    """An endpoint did not take an event in about three days."""
    log.error(
        "webhook_given_up",
        delivery_id=str(delivery.pk),
        endpoint_id=str(delivery.endpoint_id),
        event_id=str(delivery.event_id),
        error=delivery.last_error,
    )


def endpoint_disabled(endpoint: WebhookEndpoint, why: str) -> None:
    """An endpoint took nothing for so long that it was turned off; a person turns it on again."""
    log.critical("webhook_endpoint_disabled", endpoint_id=str(endpoint.pk), why=why)
