"""The orders' periodic task; the control plane's schedule names it and its queue."""

from datetime import timedelta

import structlog
from celery import shared_task

from orders import services

log = structlog.get_logger(__name__)


@shared_task(name="orders.purge_drafts")
def purge_drafts(*, older_than_days: int = 30, **_: object) -> None:
    """Forget what was posted ``older_than_days`` days ago or earlier."""
    purged = services.purge_drafts(older_than=timedelta(days=older_than_days))
    log.info("drafts_purged", count=purged, older_than_days=older_than_days)
