"""How a checkout stands, in a shopper's words, from the saga and the domains' own records."""

from typing import Any

from django.urls import reverse

from orders import services as orders
from payments import services as payments
from sagas.models import COMPENSATED, COMPENSATING, COMPLETE, FAILED, Saga
from sagas.operations import CANCELLED

PROCESSING, COMPLETED, REVERSING = "processing", "completed", "reversing"
REQUIRES_ACTION = "requires_action"

#: For the shopper the order stands once it is confirmed and paid; the mail may still be on its way.
_STANDS = ("ORDER_CONFIRMED", "PAYMENT_CAPTURED", COMPLETE)

_WORDS = {
    "out-of-stock": "An item sold out while we were reserving it.",
    "card-declined": "The card was declined.",
    "payment-method-missing": "The payment method cannot be used any more.",
    "authorisation-lost": "The bank did not hold the money any longer.",
    "deadline": "It could not be finished in time.",
    CANCELLED: "It was cancelled on request.",
    "operator": "Our staff cancelled it.",
}
_OUR_FAULT = ("technical-problem", "A technical problem on our side kept it from being finished.")


def status_of(saga: Saga, money: payments.Money) -> str:
    """Return the status that a shopper sees.

    It is never ``failed`` or ``cancelled`` while money is held, or may be.
    """
    if saga.state in _STANDS and money.captured:
        return COMPLETED
    if saga.state in (COMPENSATING, FAILED):
        return REVERSING
    if saga.state != COMPENSATED:
        return REQUIRES_ACTION if money.needs_action else PROCESSING
    if money.in_doubt or money.captured > money.refunded:
        return REVERSING
    return "cancelled" if saga.reason == CANCELLED else "failed"


def standing_of(saga: Saga) -> dict[str, Any]:
    """Return the checkout as ``CheckoutAnswer`` says it."""
    money = payments.money_of(saga_id=saga.pk)
    # Raises DraftMissing for a checkout without an order whose draft was purged.
    basket = orders.basket_of(checkout_id=saga.pk)
    number = saga.results.get("create_order", {}).get("number")
    status = status_of(saga, money)
    return {
        "id": saga.pk,
        "status": status,
        "next_action": _action_of(saga) if status == REQUIRES_ACTION else None,
        "order_number": number,
        "total": {"amount": basket.total, "currency": basket.currency},
        "charged": money.captured,
        "refunded": money.refunded,
        "reason": _reason_of(saga),
        "lines": basket.lines,
        "created_at": saga.created_at,
        "links": {
            "self": reverse("checkout-detail", args=[saga.pk]),
            "cancel": reverse("checkout-cancel", args=[saga.pk]),
            "order": reverse("order-detail", args=[number]) if number else None,
        },
    }


def _action_of(saga: Saga) -> dict[str, Any] | None:
    action = payments.action_of(saga_id=saga.pk)
    if action is None:
        return None
    return {
        "type": action.kind,
        "url": action.url or None,
        "client_secret": action.client_secret,
        "expires_at": saga.deadline_at,
    }


def _reason_of(saga: Saga) -> dict[str, str] | None:
    if not saga.reason:
        return None
    words = _WORDS.get(saga.reason)
    code, detail = (saga.reason, words) if words else _OUR_FAULT
    return {"code": code, "detail": detail}
