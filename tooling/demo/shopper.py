"""A shopper: posts checkouts over HTTP and watches them until they are settled."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx

_HTTP_SECONDS = 20.0
_LOOK_EVERY = 0.1
_PATIENCE = 40.0

T = TypeVar("T")


@dataclass(frozen=True)
class Placed:
    """An accepted checkout."""

    checkout_id: UUID
    token: str


class Refused(Exception):
    """The API refused the checkout at once; ``problem`` is its answer."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(f"{problem.get('status')} {problem.get('type')}")
        self.problem = problem


@dataclass(frozen=True)
class Shopper:
    """Talks to the API as a guest."""

    api: str

    def place(
        self, sku: str, *, token: str = "tok_success", quantity: int = 1, key: str = ""
    ) -> Placed:
        """Post a checkout; Refused if it is not accepted."""
        body = {
            "email": "ada@example.org",
            "shipping_address": {
                "name": "Ada Byron",
                "line1": "1 Analytical Road",
                "city": "London",
                "postal_code": "N1 1AA",
                "country": "GB",
            },
            "lines": [{"sku": sku, "quantity": quantity}],
            "payment_token": token,
        }
        answer = httpx.post(
            f"{self.api}/checkouts",
            json=body,
            headers={"Idempotency-Key": key or str(uuid4())},
            timeout=_HTTP_SECONDS,
        )
        if answer.status_code not in (201, 202):
            raise Refused(answer.json())
        placed = answer.json()
        return Placed(UUID(placed["id"]), placed["order_token"])

    def look(self, placed: Placed) -> dict[str, Any]:
        """Return how the checkout stands."""
        answer = httpx.get(
            f"{self.api}/checkouts/{placed.checkout_id}",
            headers={"Authorization": f"Order {placed.token}"},
            timeout=_HTTP_SECONDS,
        )
        answer.raise_for_status()
        standing: dict[str, Any] = answer.json()
        return standing

    def cancel(self, placed: Placed) -> None:
        """Take the checkout back."""
        self.post(placed, f"checkouts/{placed.checkout_id}/cancel")

    def post(self, placed: Placed, path: str) -> dict[str, Any]:
        """Post without a body, as whoever placed this checkout, and return the answer."""
        answer = httpx.post(
            f"{self.api}/{path}",
            headers={"Authorization": f"Order {placed.token}"},
            timeout=_HTTP_SECONDS,
        )
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said

    def answer_the_bank(self, page: str, outcome: str) -> None:
        """Press a button on the bank's page (3-D Secure), which leads back to the shop."""
        httpx.get(page, timeout=_HTTP_SECONDS).raise_for_status()
        back = httpx.post(page, data={"outcome": outcome}, timeout=_HTTP_SECONDS)
        if not back.is_redirect:
            raise TimeoutError(f"the bank answers {back.status_code}")


def watch(
    look: Callable[[], T], *, until: Callable[[T], bool], what: str, patience: float = _PATIENCE
) -> T:
    """Look until it is so; TimeoutError with the last look after ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while not until(seen := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {patience:g} s; last seen: {seen}")
        time.sleep(_LOOK_EVERY)
    return seen
