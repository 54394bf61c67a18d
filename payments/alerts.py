"""Tells people about money that moved when it should not have.

CRITICAL log events, with ids and amounts only.
"""

import structlog

from payments.models import Payment

log = structlog.get_logger(__name__)


def late_success(payment: Payment) -> None:
    """The provider captured a payment that it had cancelled; it is being refunded."""
    log.critical("late_success_found", **_where(payment))


def check_failed(payment: Payment, error: Exception) -> None:
    """A cancelled payment could not be asked about, or its late capture not be refunded."""
    log.critical(
        "late_success_check_failed",
        **_where(payment),
        error=type(error).__name__,
        code=getattr(error, "code", ""),
    )


def _where(payment: Payment) -> dict[str, str | int]:
    return {
        "payment_id": str(payment.pk),
        "saga_id": str(payment.saga_id),
        "status": str(payment.status),
        "amount": payment.amount,
        "captured": payment.captured,
        "currency": payment.currency,
    }
