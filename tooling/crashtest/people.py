"""Shoppers and operators who meet a system whose processes die, and try again as people do."""

import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx

_SECONDS = 4.0
_PATIENCE = 90.0
_PAUSE = 0.2
#: Shoppers at the web server at one time.
_AT_ONCE = 6

_SEEN = re.compile(r'name="seen" value="([^"]*)"')
_OFFERED = re.compile(r"<form class=\"mg-card\" method=\"post\"")
#: The operator has asked for it before, and the answer was lost: another one has to agree.
_ANOTHERS_TURN = re.compile(r"<button class=\"mg-button mg-primary[^>]* disabled>")

T = TypeVar("T")


class NeverAnswered(Exception):
    """Nobody answered in all the time that a person would try."""


@dataclass(frozen=True)
class Placed:
    """An accepted checkout; ``key`` is the idempotency key that it was posted with."""

    checkout_id: UUID
    key: str
    token: str


def insist(call: Callable[[], httpx.Response]) -> httpx.Response:
    """Repeat a request until it is answered, with something better than a server's error.

    Raises:
        NeverAnswered: it was not, for as long as anybody would try.
    """
    deadline = time.monotonic() + _PATIENCE
    last = ""
    while time.monotonic() < deadline:
        try:
            answer = call()
        except httpx.TransportError as error:
            last = type(error).__name__
        else:
            if answer.status_code < 500:
                return answer
            last = str(answer.status_code)
        time.sleep(_PAUSE)
    raise NeverAnswered(f"not answered within {_PATIENCE:g} s; the last time: {last}")


def all_at_once(
    act: Callable[[T], Any], items: Iterable[T], *, at_once: int = _AT_ONCE
) -> list[Any]:
    """Let several people do the same, each with an item of their own."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(act, items))


@dataclass(frozen=True)
class Shopper:
    """Posts checkouts as a guest, each under one key until it is accepted."""

    address: str

    def place(
        self, *, token: str = "tok_success", sku: str = "MUG-BLUE", quantity: int = 1, key: str = ""
    ) -> Placed:
        """Place a checkout."""
        key = key or str(uuid4())
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
        url, headers = f"{self.address}/api/v1/checkouts", {"Idempotency-Key": key}
        answer = insist(lambda: httpx.post(url, json=body, headers=headers, timeout=_SECONDS))
        answer.raise_for_status()
        placed = answer.json()
        return Placed(UUID(placed["id"]), key, placed["order_token"])

    def place_many(self, count: int, **what: Any) -> list[Placed]:
        """Place several checkouts at once."""
        return all_at_once(lambda _: self.place(**what), range(count))

    def cancel(self, placed: Placed) -> bool:
        """Cancel a checkout; False when it is too late for that."""
        return self._post(placed, f"checkouts/{placed.checkout_id}/cancel")

    def cancel_order(self, placed: Placed, number: str) -> bool:
        """Cancel the order that came of a checkout; False when it is too late for that."""
        return self._post(placed, f"orders/{number}/cancellation")

    def _post(self, placed: Placed, path: str) -> bool:
        url = f"{self.address}/api/v1/{path}"
        headers = {"Authorization": f"Order {placed.token}"}
        answer = insist(lambda: httpx.post(url, headers=headers, timeout=_SECONDS))
        return answer.is_success


@dataclass(frozen=True)
class Operator:
    """A member of staff at the console."""

    address: str
    name: str
    password: str

    @cached_property
    def client(self) -> httpx.Client:
        """Return a browser in which the operator is signed in."""
        client = httpx.Client(base_url=f"{self.address}/admin", timeout=_SECONDS)
        login = {"username": self.name, "password": self.password, "next": "/admin/"}
        insist(lambda: client.get("/login/"))
        answer = insist(lambda: client.post("/login/", data={**login, **_token(client)}))
        if "sessionid" not in client.cookies:
            raise NeverAnswered(f"{self.name} could not sign in: {answer.status_code}")
        return client

    def sign_off(self) -> None:
        """Close the browser, if it was opened."""
        if "client" in vars(self):
            self.client.close()

    def press(self, saga_id: UUID, verb: str, **word: str) -> bool:
        """Look at a verb's dry run and carry it out, until it is done or not offered any more.

        Returns:
            Whether it was carried out, or waits for another operator.
        """
        page = f"/sagas/saga/{saga_id}/do/{verb}/"
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            shown = insist(lambda: self.client.get(page)).text
            seen = _SEEN.search(shown)
            if seen is None or not _OFFERED.search(shown):
                return False
            if _ANOTHERS_TURN.search(shown):
                return True
            typed = {"seen": seen[1], "reason": "crash test", **word, **_token(self.client)}
            with suppress(httpx.TransportError):
                answer = self.client.post(page, data=typed)
                if answer.status_code == httpx.codes.FOUND:
                    return True
            time.sleep(_PAUSE)
        raise NeverAnswered(f"{verb} on {saga_id} was never carried out")

    def post(self, page: str, **typed: Any) -> httpx.Response:
        """Send a form that needs no look before."""
        return insist(lambda: self.client.post(page, data={**typed, **_token(self.client)}))


def _token(client: httpx.Client) -> dict[str, str]:
    return {"csrfmiddlewaretoken": client.cookies.get("csrftoken") or ""}
