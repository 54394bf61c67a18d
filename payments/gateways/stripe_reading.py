"""Stripe's objects, errors and events in the port's words. Calls nobody."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import stripe

from payments.gateways.port import (
    Action,
    Declined,
    Dispute,
    DisputeStatus,
    Event,
    GatewayError,
    InDoubt,
    Intent,
    IntentStatus,
    Refund,
    RefundStatus,
    Rejected,
    Unavailable,
    UnexpectedState,
)
from payments.gateways.transport import NeverSent

Object = Mapping[str, Any]

#: What reading an object of another shape raises.
MALFORMED = (LookupError, TypeError, ValueError, AttributeError)

_STATUS = {
    "requires_payment_method": IntentStatus.OPEN,
    "requires_confirmation": IntentStatus.OPEN,
    "requires_action": IntentStatus.REQUIRES_ACTION,
    "processing": IntentStatus.PROCESSING,
    "requires_capture": IntentStatus.AUTHORISED,
    "succeeded": IntentStatus.SUCCEEDED,
    "canceled": IntentStatus.CANCELLED,
}
_REFUND_STATUS = {
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}
_DISPUTE_STATUS = {
    "won": DisputeStatus.WON,
    # An inquiry that ended without a dispute.
    "warning_closed": DisputeStatus.WON,
    "prevented": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
}
#: The keys under which a confirm names how it is paid.
_METHOD = ("payment_method", "confirmation_token")
_STORED_ERROR = 500
_SERVER_ERROR = 500
_CONFLICT, _TOO_MANY = 409, 429


def intent_of(answer: Object) -> Intent:
    """Read a PaymentIntent; one of MALFORMED if it is none."""
    status = _STATUS[answer["status"]]
    last_error = answer["last_payment_error"] or {}
    if answer["status"] == "requires_payment_method" and last_error:
        status = IntentStatus.DECLINED
    return Intent(
        ref=answer["id"],
        status=status,
        amount=answer["amount"],
        captured=answer["amount_received"],
        currency=answer["currency"].upper(),
        manual_capture=answer["capture_method"] == "manual",
        payment_id=_short(answer["metadata"].get("payment_id")),
        charge_ref=answer["latest_charge"] or "",
        decline_code=_short(last_error.get("decline_code") or last_error.get("code")),
        action=_action_of(answer) if status is IntentStatus.REQUIRES_ACTION else None,
    )


def _action_of(answer: Object) -> Action:
    redirect = (answer["next_action"] or {}).get("redirect_to_url")
    secret = answer["client_secret"]
    if redirect:
        return Action(kind="redirect", url=redirect["url"], client_secret=secret)
    return Action(kind="sdk", client_secret=secret)


def refund_of(answer: Object) -> Refund:
    """Read a Refund."""
    return Refund(
        ref=answer["id"],
        # Stripe has further statuses, such as requires_action: none of them is an outcome.
        status=_REFUND_STATUS.get(answer["status"], RefundStatus.PENDING),
        amount=answer["amount"],
        operation_id=_short((answer["metadata"] or {}).get("operation_id")),
    )


def dispute_of(answer: Object) -> Dispute:
    """Read a Dispute."""
    return Dispute(
        ref=answer["id"],
        status=_DISPUTE_STATUS.get(answer["status"], DisputeStatus.OPEN),
        amount=answer["amount"],
        reason=_short(answer["reason"]),
    )


def event_of(body: bytes) -> Event:
    """Read the ids of an event, of whichever API version; one of MALFORMED if it is none."""
    event = json.loads(body)
    about = event["data"]["object"]
    intent = about["id"] if about["object"] == "payment_intent" else about.get("payment_intent")
    if isinstance(intent, dict):  # expanded
        intent = intent["id"]
    return Event(
        id=str(event["id"])[:255],
        kind=_short(event["type"]),
        intent_ref=str(intent or "")[:255],
        created_at=datetime.fromtimestamp(int(event["created"]), UTC),
    )


def is_live(body: bytes) -> bool:
    """Tell whether an event is about real money."""
    return bool(json.loads(body)["livemode"])


def fault_of(error: stripe.StripeError) -> GatewayError:
    """Return what an error of the SDK means.

    Source: https://docs.stripe.com/error-low-level: a 4xx is a definite answer except for 409 (the
    first request with the key still runs) and 429; a 5xx says nothing about what was done, and a
    500 is kept as the answer to its key.
    """
    status = error.http_status or 0
    match error:
        case NeverSent():
            return Unavailable("provider-unreachable")
        case stripe.APIConnectionError():
            fault = InDoubt("no-answer")
        case stripe.IdempotencyError() if status < _CONFLICT:
            # This request was not executed, but another one with its key may have been.
            fault = InDoubt("key-reused", answered=True)
        case _ if status >= _SERVER_ERROR:
            fault = InDoubt("provider-error", answered=status == _STORED_ERROR)
        case _ if status in (_CONFLICT, _TOO_MANY):
            fault = InDoubt("provider-busy", retry_after=_retry_after(error))
        case stripe.APIError():
            fault = InDoubt("malformed-answer")
        case _:
            return _definite(error)
    return fault


def _definite(error: stripe.StripeError) -> GatewayError:
    try:
        told: Object = dict(error.json_body)["error"]  # type: ignore[call-overload]
        code = _short(told.get("decline_code") or told.get("code") or told["type"])
        if told.get("code") == "payment_intent_unexpected_state":
            return UnexpectedState(intent_of(told["payment_intent"]))
    except MALFORMED:
        return InDoubt("malformed-answer")
    if isinstance(error, stripe.CardError) or str(told.get("param", "")).startswith(_METHOD):
        return Declined(code)
    return Rejected(code)


def _retry_after(error: stripe.StripeError) -> float:
    try:
        return max(0.0, float((error.headers or {}).get("retry-after", "0")))
    except ValueError:  # a date
        return 0.0


def _short(code: object) -> str:
    """Keep a provider's code within our columns."""
    return str(code or "")[:64]
