"""What the demo tries after the sale: an order is cancelled, a part of one is given back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
from django.contrib.auth.models import User
from rest_framework.authtoken.models import Token

from orders.models import Order
from sagas.models import COMPLETE
from tooling.demo.outcomes import BLUE_MUG, TEAPOT, completed
from tooling.demo.shopper import Placed, watch

if TYPE_CHECKING:
    from tooling.demo.scenarios import Demo, Row

_HTTP_SECONDS = 20.0


def cancelled_afterwards(demo: Demo) -> list[Row]:
    """The order is paid and told; its shopper cancels it before it is shipped."""

    def cancelled() -> Placed:
        placed = _bought(demo, "TEAPOT")
        answer = demo.shopper.post(placed, f"orders/{_number(placed)}/cancellation")
        _wait(demo, answer["id"], "the cancellation")
        return placed

    must = replace(
        completed(TEAPOT, held=0),
        refunded=TEAPOT,
        order="CANCELLED",
        mails=("confirmation", "cancellation"),
    )
    return [demo.follow("cancelled, not shipped yet", cancelled, must)]


def given_back_in_part(demo: Demo) -> list[Row]:
    """Staff give one of two mugs back, and press twice."""

    def given_back() -> Placed:
        placed = _bought(demo, "MUG-BLUE", quantity=2)
        olga = User.objects.db_manager("default").create_superuser("olga")
        token = Token.objects.using("default").create(user=olga)
        for _ in range(2):
            answer = httpx.post(
                f"{demo.shopper.api}/orders/{_number(placed)}/refunds",
                json={"lines": [{"sku": "MUG-BLUE", "quantity": 1}], "reason": "damaged"},
                headers={"Authorization": f"Token {token.key}", "Idempotency-Key": "one-mug"},
                timeout=_HTTP_SECONDS,
            )
            answer.raise_for_status()
            _wait(demo, answer.json()["id"], "the refund")
        return placed

    must = replace(
        completed(2 * BLUE_MUG, held=2), refunded=BLUE_MUG, mails=("confirmation", "refund")
    )
    return [demo.follow("one of two given back, twice", given_back, must)]


def _bought(demo: Demo, sku: str, *, quantity: int = 1) -> Placed:
    placed = demo.buy(sku, quantity=quantity)
    watch(
        lambda: demo.saga(placed.checkout_id).state,
        until=lambda state: state == COMPLETE,
        what="the checkout",
    )
    return placed


def _wait(demo: Demo, saga_id: str, what: str) -> None:
    watch(lambda: demo.saga(UUID(saga_id)).state, until=lambda state: state == COMPLETE, what=what)


def _number(placed: Placed) -> str:
    return Order.objects.using("orders").get(saga_id=placed.checkout_id).number
