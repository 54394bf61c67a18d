"""What orders tells the other domains, in the transaction of the change."""

from orders.models import EventKind, Order, OutboxEvent
from sagas.events.facts import Fact
from sagas.events.outbox import tell


def tell_of(order: Order, kind: EventKind, reason: str = "") -> None:
    """Tell that an order was created, confirmed, cancelled or shipped; a cancellation says why."""
    payload = {
        "order_id": str(order.pk),
        "number": order.number,
        "total": order.total,
        "currency": order.currency,
    }
    if kind is EventKind.CANCELLED:
        payload["reason"] = reason
    tell(
        OutboxEvent,
        Fact(
            type=f"order_{kind.value}",
            aggregate=f"order:{order.pk}",
            saga_id=order.saga_id,
            payload=payload,
        ),
    )
