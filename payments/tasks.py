"""The thin Celery tasks of payments."""

from typing import Any

from celery import shared_task

from payments import services

#: Payments that one tick asks about at the most: what a worker can do before the next one.
_BATCH = 20


@shared_task(name="payments.sweep_late_successes")
def sweep_late_successes(**_: Any) -> None:
    """Find and refund captures that came after their cancel."""
    services.sweep_late_successes(limit=_BATCH)
