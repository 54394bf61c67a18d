"""How a cancellation or a refund stands, in the words of the API."""

from typing import Any

from django.urls import reverse

from orders.models import Order
from payments import services as payments
from sagas.models import COMPENSATED, Saga

PROCESSING, REFUSED = "processing", "refused"

_WORDS = {
    "order-shipped": "The order had been shipped already.",
    "order-not-confirmed": "The order was cancelled by other means.",
    "order-held-back": "Another cancellation was at work on it.",
    "returned-before": "Some of the units were returned before.",
    "not-refundable": "So much is not left to give back.",
    "refund-refused": "The bank refused the refund.",
    "operator": "Our staff stopped it.",
}
_OUR_FAULT = ("technical-problem", "A technical problem on our side kept it from being done.")


def cancellation_standing(saga: Saga, order: Order) -> dict[str, Any]:
    """Return a cancellation as ``CancellationAnswer`` says it."""
    money = payments.money_of(saga_id=order.saga_id)
    done = "cancel_order" in saga.results
    return {
        **_common(saga, order, done="cancelled" if done else ""),
        "refunded": {"amount": money.refunded, "currency": order.currency},
        "links": _links(order, reverse("order-cancellation", args=[order.number])),
    }


def refund_standing(saga: Saga, order: Order) -> dict[str, Any]:
    """Return a refund of a part as ``RefundAnswer`` says it."""
    done = "refund_part" in saga.results or payments.part_stands(saga_id=saga.pk)
    return {
        **_common(saga, order, done="refunded" if done else ""),
        "amount": {"amount": saga.amount, "currency": saga.currency},
        "lines": saga.input["lines"],
        "why": saga.input["reason"],
        "links": _links(order, reverse("order-refund", args=[order.number, saga.pk])),
    }


def _common(saga: Saga, order: Order, *, done: str) -> dict[str, Any]:
    status = done or (REFUSED if saga.state == COMPENSATED else PROCESSING)
    return {
        "id": saga.pk,
        "status": status,
        "order_number": order.number,
        "reason": _reason_of(saga) if status == REFUSED else None,
        "created_at": saga.created_at,
    }


def _reason_of(saga: Saga) -> dict[str, str] | None:
    words = _WORDS.get(saga.reason)
    code, detail = (saga.reason, words) if words else _OUR_FAULT
    return {"code": code, "detail": detail}


def _links(order: Order, own: str) -> dict[str, str]:
    return {"self": own, "order": reverse("order-detail", args=[order.number])}
