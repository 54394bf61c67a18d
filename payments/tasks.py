"""The thin Celery tasks of payments."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from celery import shared_task
from kombu.exceptions import KombuError

from payments import services
from sagas.participant import crash

log = structlog.get_logger(__name__)

#: What one tick asks about at the most, in payments and in seconds: every declined card is asked
#: about some ten times in a day, and a slow provider may not hold a worker up until the next tick.
_PAYMENTS, _SECONDS = 2_000, 20.0
#: Webhooks that one tick processes at the most: what a worker can do before the next one.
_BATCH = 20
#: Webhooks have a queue of their own, so that a flood of them holds up no charge.
EVENTS_QUEUE = "webhooks"


@shared_task(name="payments.sweep_late_successes")
def sweep_late_successes(**_: Any) -> None:
    """Find and refund captures that came after their cancel."""
    services.sweep_late_successes(limit=_PAYMENTS, seconds=_SECONDS)


@shared_task(name="payments.process_event")
def process_event(*, event_id: str, **_: Any) -> None:
    """Process one webhook; a second copy of the message finds it claimed."""
    services.process_event(event_id=UUID(event_id))


@shared_task(name="payments.sweep_events")
def sweep_events(**_: Any) -> None:
    """Process the webhooks whose message was lost, or whose provider did not answer."""
    for event_id in services.events_due(limit=_BATCH):
        services.process_event(event_id=event_id)


def send_event(event_id: UUID) -> None:
    """Ask for a webhook to be processed at once; the sweep does it if the broker is away."""
    try:
        with crash.calling("payments.publish_event"):
            process_event.apply_async(kwargs={"event_id": str(event_id)}, queue=EVENTS_QUEUE)
    except (KombuError, ConnectionError, TimeoutError) as error:
        log.warning("event_not_published", event_id=str(event_id), error=type(error).__name__)


@shared_task(name="payments.purge_events")
def purge_events(*, older_than_days: int = 90, **_: Any) -> None:
    """Forget webhooks that came ``older_than_days`` days ago or earlier, once processed."""
    purged = services.purge_events(older_than=timedelta(days=older_than_days))
    log.info("payment_events_purged", count=purged, older_than_days=older_than_days)


@shared_task(name="payments.purge_methods")
def purge_methods(*, older_than_days: int = 30, **_: Any) -> None:
    """Forget payment tokens that were registered ``older_than_days`` days ago or earlier."""
    purged = services.purge_methods(older_than=timedelta(days=older_than_days))
    log.info("payment_methods_purged", count=purged, older_than_days=older_than_days)
