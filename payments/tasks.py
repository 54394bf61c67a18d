"""The thin Celery tasks of payments."""

from datetime import timedelta
from typing import Any

import structlog
from celery import shared_task

from payments import services

log = structlog.get_logger(__name__)

#: What one tick asks about at the most, in payments and in seconds: every declined card is asked
#: about some ten times in a day, and a slow provider may not hold a worker up until the next tick.
_PAYMENTS, _SECONDS = 2_000, 20.0


@shared_task(name="payments.sweep_late_successes")
def sweep_late_successes(**_: Any) -> None:
    """Find and refund captures that came after their cancel."""
    services.sweep_late_successes(limit=_PAYMENTS, seconds=_SECONDS)


@shared_task(name="payments.purge_methods")
def purge_methods(*, older_than_days: int = 30, **_: Any) -> None:
    """Forget payment tokens that were registered ``older_than_days`` days ago or earlier."""
    purged = services.purge_methods(older_than=timedelta(days=older_than_days))
    log.info("payment_methods_purged", count=purged, older_than_days=older_than_days)
