"""One shopper's conversation with the API, and what the shopper writes down of it."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

from tooling.fakepay.journal import Journal
from tooling.soak.orders import Order

_HTTP_SECONDS = 20.0
#: Wait before a request is sent again, in seconds: doubled up to the longest.
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 3.0
#: After so many seconds without an answer a shopper leaves; they do not know whether it was taken.
_PATIENCE = 240.0
_ACCEPTED = (HTTPStatus.CREATED, HTTPStatus.ACCEPTED)


class GaveUp(Exception):
    """No usable answer for as long as a shopper waits."""


@dataclass
class Shopper:
    """Places orders over one kept connection; what is accepted is on disk before it goes on."""

    api: str
    journal: Journal
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=_HTTP_SECONDS))

    def place(self, order: Order) -> bool:
        """Place an order, as often as its shopper means to; tell whether it was accepted."""
        self.journal.append("asked", order=order.as_json())
        try:
            if order.sends == 1:
                answers = [self._post(order, self.client)]
            else:
                answers = self._post_at_once(order)
            if order.sent_again:
                answers.append(self._post(order, self.client))
        except GaveUp as error:
            self.journal.append("gave_up", key=order.key, why=str(error))
            return False
        for answer in answers:
            self._write_down(order, answer)
        accepted = [answer.json() for answer in answers if answer.status_code in _ACCEPTED]
        if accepted and order.cancels_after is not None:
            time.sleep(order.cancels_after)
            self._cancel(order, accepted[0])
        return bool(accepted)

    def read(self, checkout: Mapping[str, Any]) -> None:
        """Look how an accepted checkout stands, and write that down."""
        answer = self._insist(
            lambda: self.client.get(
                f"{self.api}/checkouts/{checkout['id']}", headers=_proof(checkout["token"])
            )
        )
        said = answer.json()
        self.journal.append(
            "read",
            id=checkout["id"],
            status=said.get("status", answer.status_code),
            charged=said.get("charged"),
            refunded=said.get("refunded"),
        )

    def _post_at_once(self, order: Order) -> list[httpx.Response]:
        with ThreadPoolExecutor(order.sends) as pool, httpx.Client(timeout=_HTTP_SECONDS) as other:
            clients = [self.client, *[other] * (order.sends - 1)]
            return list(pool.map(lambda client: self._post(order, client), clients))

    def _post(self, order: Order, client: httpx.Client) -> httpx.Response:
        headers = {"Idempotency-Key": order.key}
        if order.wait:
            headers["Prefer"] = f"wait={order.wait}"
        return self._insist(
            lambda: client.post(f"{self.api}/checkouts", json=order.body(), headers=headers)
        )

    def _cancel(self, order: Order, placed: Mapping[str, Any]) -> None:
        self.journal.append("cancels", key=order.key, id=placed["id"])
        try:
            answer = self._insist(
                lambda: self.client.post(
                    f"{self.api}/checkouts/{placed['id']}/cancel",
                    headers=_proof(placed["order_token"]),
                )
            )
        except GaveUp as error:
            self.journal.append("gave_up", key=order.key, why=str(error))
            return
        self.journal.append("cancel_answered", id=placed["id"], status=answer.status_code)

    def _insist(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        """Send until there is an answer that says something about the request itself."""
        deadline = time.monotonic() + _PATIENCE
        wait = _FIRST_WAIT
        while True:
            try:
                answer = send()
                if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                    return answer
                why = f"status {answer.status_code}"
            except httpx.TransportError as error:
                why = type(error).__name__
            if time.monotonic() > deadline:
                raise GaveUp(why)
            time.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    def _write_down(self, order: Order, answer: httpx.Response) -> None:
        said = answer.json()
        if answer.status_code in _ACCEPTED:
            self.journal.append(
                "accepted",
                key=order.key,
                id=said["id"],
                token=said["order_token"],
                total=said["total"]["amount"],
            )
        else:
            self.journal.append(
                "refused", key=order.key, status=answer.status_code, why=said.get("type", "")
            )


def _proof(token: str) -> dict[str, str]:
    return {"Authorization": f"Order {token}"}
