"""What the tests' shoppers post, and the orders that come of it."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from orders import services
from orders.services import PricedLine, Result, ShippingAddress

EMAIL = "ada@example.com"
ADDRESS = ShippingAddress(
    name="Ada Lovelace",
    line1="12 St James's Square",
    city="London",
    postal_code="SW1Y 4JH",
    country="GB",
)


@dataclass(frozen=True)
class Priced:
    """A cart's line with its price, as the catalogue quotes it."""

    sku: str
    name: str
    quantity: int
    unit_price: int


CART: list[PricedLine] = [Priced("MUG", "Blue mug", 2, 1250), Priced("TEA", "Earl Grey", 1, 890)]
TOTAL = 3390


def post(checkout_id: UUID | None = None, *, principal: str = "user:1", email: str = EMAIL) -> UUID:
    """Save a draft of CART; return the id of its checkout."""
    checkout_id = checkout_id or uuid4()
    services.save_draft(
        checkout_id=checkout_id,
        principal=principal,
        email=email,
        shipping_address=ADDRESS,
        lines=CART,
        currency="EUR",
    )
    return checkout_id


def order(*, principal: str = "user:1", email: str = EMAIL) -> tuple[UUID, Result]:
    """Save a draft and make an order of it; return the saga's id and what the step returned."""
    saga_id = post(principal=principal, email=email)
    return saga_id, services.create_order(saga_id=saga_id)
