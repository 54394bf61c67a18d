"""Tells people about money that moved when it should not have.

CRITICAL log events, with ids and amounts only.
"""

import structlog

from payments.models import PartialRefund, Payment, ProviderEvent, ProviderMovement

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


def second_capture(payment: Payment, intent_ref: str) -> None:
    """The provider captured an intent that says it is this payment's, and is not."""
    log.critical("second_capture_found", **_where(payment), intent=intent_ref)


def disputed(payment: Payment, movement: ProviderMovement) -> None:
    """The shopper's bank wants the money back, or has decided about it."""
    log.critical("payment_disputed", **_where(payment), **_what(movement))


def refunded_elsewhere(payment: Payment, movement: ProviderMovement) -> None:
    """Somebody gave money back in the provider's dashboard; stock and order know nothing of it."""
    log.critical("refunded_elsewhere", **_where(payment), **_what(movement))


def refund_taken_back(payment: Payment, movement: ProviderMovement) -> None:
    """A refund that had succeeded failed at the bank: the shopper has not got the money."""
    log.critical("refund_taken_back", **_where(payment), **_what(movement))


def part_came_late(payment: Payment, part: PartialRefund) -> None:
    """A partial refund that was stopped went through: its return knows nothing of it."""
    log.critical("part_came_late", **_where(payment), part=str(part.pk), moved=part.amount)


def event_contradicts(event: ProviderEvent, error: Exception) -> None:
    """The provider holds another amount or currency than we know; nothing was recorded."""
    log.critical("event_contradicts", event_id=event.event_id, kind=event.kind, detail=str(error))


def event_given_up(event: ProviderEvent, code: str) -> None:
    """A webhook could not be processed for days."""
    log.critical("event_given_up", event_id=event.event_id, kind=event.kind, code=code)


def _what(movement: ProviderMovement) -> dict[str, str | int]:
    return {
        "movement": movement.provider_ref,
        "moved": movement.amount,
        "movement_status": movement.status,
        "reason": movement.reason,
    }


def _where(payment: Payment) -> dict[str, str | int]:
    return {
        "payment_id": str(payment.pk),
        "saga_id": str(payment.saga_id),
        "status": str(payment.status),
        "amount": payment.amount,
        "captured": payment.captured,
        "currency": payment.currency,
    }
