"""A shopper with a full basket: what is posted, by whom, and what is left behind."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from rest_framework.test import APIClient

from inventory.services import add_product
from orders.models import Draft
from payments.models import PaymentMethod
from sagas.models import Saga

CHECKOUTS = "/api/v1/checkouts"

#: What must never be found outside the domains' own tables and mails.
EMAIL, NAME, STREET = "ada.sentinel@example.org", "Ada Sentinel", "1 Sentinel Road"
PERSONAL = (EMAIL, NAME, STREET)


def stock_the_shelf() -> None:
    """Put on sale: plenty of mugs, one bowl, no cup, a gift that costs nothing, a foreign book."""
    for sku, price, on_hand, currency in (
        ("MUG", 1250, 100, "EUR"),
        ("BOWL", 6800, 1, "EUR"),
        ("CUP", 2900, 0, "EUR"),
        ("GIFT", 0, 100, "EUR"),
        ("BOOK", 2000, 100, "USD"),
    ):
        add_product(
            sku=sku, name=sku.title(), description="", price=price, currency=currency,
            on_hand=on_hand,
        )  # fmt: skip


def basket(**changes: Any) -> dict[str, Any]:
    """Return a valid body: two mugs."""
    return {
        "email": EMAIL,
        "shipping_address": {
            "name": NAME,
            "line1": STREET,
            "city": "London",
            "postal_code": "N1 1AA",
            "country": "GB",
        },
        "lines": [{"sku": "MUG", "quantity": 2}],
        "payment_token": "tok_success",
        **changes,
    }


def new_key() -> str:
    return str(uuid4())


@dataclass
class Shopper:
    """Posts to the API; a guest unless a user is given."""

    user: Any = None
    http: APIClient = field(default_factory=lambda: APIClient(raise_request_exception=True))

    def __post_init__(self) -> None:
        if self.user is not None:
            self.http.force_authenticate(self.user)

    def place(
        self, *, key: str | None = None, body: Any = None, prefer: str = "", **changes: Any
    ) -> Any:
        """Post a checkout; an empty key sends no header."""
        key = new_key() if key is None else key
        headers = {"Idempotency-Key": key} if key else {}
        if prefer:
            headers["Prefer"] = prefer
        posted = basket(**changes) if body is None else body
        return self.http.post(CHECKOUTS, posted, format="json", headers=headers)

    def look(self, placed: Any) -> Any:
        return self.http.get(placed.headers["Location"], headers=_proof(placed))

    def cancel(self, placed: Any) -> Any:
        return self.http.post(placed.json()["links"]["cancel"], headers=_proof(placed))


def _proof(placed: Any) -> dict[str, str]:
    token = placed.json().get("order_token")
    return {"Authorization": f"Order {token}"} if token else {}


def id_of(placed: Any) -> UUID:
    assert placed.status_code in (201, 202), placed.content
    return UUID(placed.json()["id"])


def sagas() -> int:
    return Saga.objects.using("default").count()


def left_behind() -> tuple[int, int, int]:
    """Return how many sagas, drafts and payment methods there are."""
    drafts = Draft.objects.using("orders").count()
    return sagas(), drafts, PaymentMethod.objects.using("payments").count()


def assert_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Check that it is a problem document of this type, and return it."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    members: dict[str, Any] = answer.json()
    assert members["type"] == f"/api/v1/problems/{code}"
    return members
