"""The provider's objects in Stripe's shapes, as far as Makegood reads them."""

import secrets
from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]

#: The shapes are those of this version (https://docs.stripe.com/upgrades).
API_VERSION = "2026-10-28.endive"

AUTHENTICATION_FAILED = "payment_intent_authentication_failure"


def new_id(prefix: str) -> str:
    """Return an id such as ``pi_0f3a…``."""
    return f"{prefix}_{secrets.token_hex(12)}"


def intent(
    *, amount: int, currency: str, metadata: Mapping[str, str], token: str, manual: bool, at: float
) -> Object:
    """Return a new intent; with a payment method it waits for its confirm."""
    reference = new_id("pi")
    return {
        "id": reference,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "manual" if manual else "automatic_async",
        "client_secret": f"{reference}_secret_{secrets.token_hex(8)}",
        "confirmation_method": "automatic",
        "created": int(at),
        "currency": currency,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": dict(metadata),
        "next_action": None,
        "payment_method": token or None,
        "payment_method_types": ["card"],
        "status": "requires_confirmation" if token else "requires_payment_method",
    }


def charge(of_intent: Object, *, refunded: int = 0) -> Object:
    """Return the charge of an intent, as far as it is paid and given back by now."""
    return {
        "id": of_intent["latest_charge"],
        "object": "charge",
        "amount": of_intent["amount"],
        "amount_captured": of_intent["amount_received"],
        "amount_refunded": refunded,
        "captured": bool(of_intent["amount_received"]),
        "currency": of_intent["currency"],
        "livemode": False,
        "metadata": dict(of_intent["metadata"]),
        "payment_intent": of_intent["id"],
        "refunded": bool(refunded) and refunded == of_intent["amount_received"],
    }


def refund(
    of_intent: Object, *, amount: int, metadata: Mapping[str, str], status: str, at: float
) -> Object:
    """Return a new refund of an intent."""
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "charge": of_intent["latest_charge"],
        "created": int(at),
        "currency": of_intent["currency"],
        "failure_reason": None,
        "metadata": dict(metadata),
        "payment_intent": of_intent["id"],
        "reason": None,
        "status": status,
    }


def dispute(of_intent: Object, *, amount: int, reason: str, at: float) -> Object:
    """Return a new dispute: a shopper asked their bank for the money back."""
    return {
        "id": new_id("dp"),
        "object": "dispute",
        "amount": amount,
        "charge": of_intent["latest_charge"],
        "created": int(at),
        "currency": of_intent["currency"],
        "livemode": False,
        "metadata": {},
        "payment_intent": of_intent["id"],
        "reason": reason,
        "status": "needs_response",
    }


def event(kind: str, about: Object, *, at: float) -> Object:
    """Return an event about a copy of an object as it is now."""
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": int(at),
        "data": {"object": dict(about)},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }


def card_error(code: str, message: str, decline_code: str = "") -> Object:
    """Return what an intent keeps of a confirm that came to nothing."""
    error = {"type": "card_error", "code": code, "message": message}
    return {**error, "decline_code": decline_code} if decline_code else error


def redirect(url: str, return_url: str) -> Object:
    """Return the next action of a shopper who is sent to the bank's page."""
    return {
        "type": "redirect_to_url",
        "redirect_to_url": {"url": url, "return_url": return_url},
    }


#: The next action where no return address was sent: the provider's own script sees to it.
IN_SCRIPT: Object = {
    "type": "use_stripe_sdk",
    "use_stripe_sdk": {"type": "three_d_secure_redirect"},
}
