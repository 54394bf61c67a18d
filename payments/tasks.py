"""The thin Celery tasks of payments."""

from datetime import timedelta
from typing import Any

import structlog
from celery import shared_task

from payments import services

log = structlog.get_logger(__name__)

#: Payments that one tick asks about at the most: what a worker can do before the next one.
_BATCH = 20


@shared_task(name="payments.sweep_late_successes")
def sweep_late_successes(**_: Any) -> None:
    """Find and refund captures that came after their cancel."""
    services.sweep_late_successes(limit=_BATCH)


@shared_task(name="payments.purge_methods")
def purge_methods(*, older_than_days: int = 30, **_: Any) -> None:
    """Forget payment tokens that were registered ``older_than_days`` days ago or earlier."""
    purged = services.purge_methods(older_than=timedelta(days=older_than_days))
    log.info("payment_methods_purged", count=purged, older_than_days=older_than_days)
