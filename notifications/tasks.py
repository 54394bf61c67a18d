"""The thin Celery tasks of notifications: what goes out to people and to the shop's systems."""

from typing import Any
from uuid import UUID

import structlog
from celery import shared_task

from notifications import notices
from notifications.webhooks import queueing, sending, steering

log = structlog.get_logger(__name__)

#: Notices that one task sends at the most: what a worker can do before the next tick.
_BATCH = 50
#: Seconds after which a conversation that trickles ends with its process; its attempt is lost.
_LIMIT = 60


@shared_task(name=notices.SEND, time_limit=_LIMIT * 4)
def send_notices(**_: Any) -> None:
    """Send the mails about products that are due."""
    if notices.send_due(limit=_BATCH) == _BATCH:
        notices.ask_to_send()


@shared_task(name=queueing.DELIVER, time_limit=_LIMIT)
def deliver_webhooks(*, endpoint_id: str, **_: Any) -> None:
    """Send what is due at one endpoint, and ask for another turn if more is."""
    if sending.deliver_due(UUID(endpoint_id)):
        queueing.ask_to_deliver(endpoint_id)


@shared_task(name="notifications.look_for_webhooks")
def look_for_webhooks(**_: Any) -> None:
    """Ask for each endpoint at which something is due: retries, and what no hint was heard of."""
    for endpoint_id in sending.busy_endpoints():
        queueing.ask_to_deliver(str(endpoint_id))


@shared_task(name="notifications.purge")
def purge(**_: Any) -> None:
    """Forget old notices with their addresses, and old deliveries."""
    log.info("notifications_purged", notices=notices.purge(), deliveries=steering.purge())
