"""What the inventory tells the other domains, in the transaction of the change."""

from collections.abc import Mapping, Sequence

from inventory.models import OutboxEvent, Reservation
from inventory.stock import Level, crossings
from sagas.events.facts import Fact
from sagas.events.outbox import tell


def tell_of_reservation(
    event_type: str,
    reservation: Reservation,
    quantities: Mapping[str, int],
    levels: Sequence[Level],
) -> None:
    """Tell that stock was reserved or released, and which products crossed a line by it."""
    reserved = Fact(
        type=event_type,
        aggregate=f"reservation:{reservation.pk}",
        saga_id=reservation.saga_id,
        payload={
            "reservation_id": str(reservation.pk),
            "order_id": str(reservation.order_id),
            "lines": [{"sku": sku, "quantity": number} for sku, number in quantities.items()],
        },
    )
    tell(OutboxEvent, reserved, *crossings(levels))


def tell_of_level(level: Level) -> None:
    """Tell if a product crossed a line."""
    tell(OutboxEvent, *crossings([level]))
