"""What payments tells the other domains, in the transaction of the change."""

from payments.models import OutboxEvent, Payment
from sagas.events.facts import Fact
from sagas.events.outbox import tell


def tell_of_capture(payment: Payment) -> None:
    """Tell that the provider holds the money; ``late`` if the charge was cancelled before."""
    _tell("payment_captured", payment, payment.captured)


def tell_of_refund(payment: Payment, amount: int) -> None:
    """Tell that ``amount`` minor units went back to the shopper."""
    _tell("payment_refunded", payment, amount)


def _tell(event_type: str, payment: Payment, amount: int) -> None:
    tell(
        OutboxEvent,
        Fact(
            type=event_type,
            aggregate=f"payment:{payment.pk}",
            saga_id=payment.saga_id,
            payload={
                "payment_id": str(payment.pk),
                "order_id": str(payment.order_id),
                "amount": amount,
                "currency": payment.currency,
                "late": payment.cancelled_at is not None,
            },
        ),
    )
