"""What the tests put on the shelf, and how they look at it."""

from uuid import UUID, uuid4

from inventory import services
from inventory.models import DATABASE, Stock
from inventory.services import CartLine, Result


def put(sku: str, on_hand: int, *, price: int = 1000, currency: str = "EUR") -> None:
    """Put a product with ``on_hand`` units on the shelf."""
    services.add_product(
        sku=sku,
        name=f"The {sku}",
        description=f"What is called {sku}.",
        price=price,
        currency=currency,
        on_hand=on_hand,
    )


def cart(**quantities: int) -> list[CartLine]:
    """Return a cart of ``quantities`` by SKU, in the order given."""
    return [CartLine(sku=sku, quantity=quantity) for sku, quantity in quantities.items()]


def reserve(saga_id: UUID | None = None, **quantities: int) -> Result:
    """Reserve ``quantities`` by SKU for ``saga_id``, or for a saga of its own."""
    return services.reserve_stock(
        saga_id=saga_id or uuid4(), order_id=uuid4(), lines=cart(**quantities)
    )


def reserved(sku: str) -> int:
    """Return how many units of ``sku`` are held."""
    return Stock.objects.using(DATABASE).get(pk=sku).reserved
