"""What the provider answers instead of an object."""

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """An error answer.

    Args:
        status: the HTTP status.
        kind: ``type`` of the error object.
        code: ``code`` of the error object.
        message: for people.
        executed: whether the request was begun, so that its key keeps this answer.
        headers: further headers of the answer.
        more: further members of the error object.
    """

    def __init__(
        self,
        status: int,
        *,
        kind: str,
        code: str,
        message: str,
        executed: bool = False,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.executed = executed
        self.headers = dict(headers or {})
        self.body = {"error": {"type": kind, "code": code, "message": message, **(more or {})}}


def unauthorised() -> Refusal:
    """The secret key is missing, or is none of ours."""
    return Refusal(
        401,
        kind="invalid_request_error",
        code="api_key_invalid",
        message="Send a secret test key as bearer token.",
    )


def idempotency_error() -> Refusal:
    """The key was used before, with other parameters."""
    return Refusal(
        400,
        kind="idempotency_error",
        code="idempotency_error",
        message="Keys for idempotent requests can only be used with the same parameters.",
    )


def key_in_use() -> Refusal:
    """The first request with the key is still being executed."""
    return Refusal(
        409,
        kind="idempotency_error",
        code="idempotency_key_in_use",
        message="Another request with this key is being executed.",
        headers={"Stripe-Should-Retry": "true"},
    )


def rate_limited(retry_after: int) -> Refusal:
    """Too many requests; this one was not executed."""
    return Refusal(
        429,
        kind="invalid_request_error",
        code="rate_limit",
        message="Too many requests.",
        headers={"Retry-After": str(retry_after), "Stripe-Should-Retry": "true"},
    )


def locked() -> Refusal:
    """Another request works on the same intent; this one was not executed."""
    return Refusal(
        429,
        kind="invalid_request_error",
        code="lock_timeout",
        message="This object is being accessed by another request. Try again.",
        headers={"Stripe-Should-Retry": "true"},
    )


def invalid(code: str, message: str, *, parameter: str, status: int = 400) -> Refusal:
    """A parameter is missing or makes no sense; nothing was executed."""
    return Refusal(
        status,
        kind="invalid_request_error",
        code=code,
        message=message,
        more={"param": parameter},
    )


def missing(parameter: str, status: int = 404) -> Refusal:
    """What the parameter names does not exist."""
    return invalid("resource_missing", f"No such {parameter}.", parameter=parameter, status=status)


def unexpected_state(verb: str, intent: Mapping[str, Any]) -> Refusal:
    """The intent's state does not allow the verb; the error carries the intent."""
    return Refusal(
        400,
        kind="invalid_request_error",
        code="payment_intent_unexpected_state",
        message=f"You cannot {verb} this PaymentIntent: its status is {intent['status']}.",
        executed=True,
        more={"payment_intent": dict(intent)},
    )


def refused(code: str, message: str) -> Refusal:
    """A refund or a capture is a definite no."""
    return Refusal(400, kind="invalid_request_error", code=code, message=message, executed=True)


def declined(intent: Mapping[str, Any]) -> Refusal:
    """The card was declined; the error is the intent's last one, and carries the intent."""
    error = dict(intent["last_payment_error"])
    return Refusal(
        402,
        kind=error.pop("type"),
        code=error.pop("code"),
        message=error.pop("message"),
        executed=True,
        more={**error, "payment_intent": dict(intent)},
    )


def server_error() -> Refusal:
    """Something broke in the provider; whether it was done is not said."""
    return Refusal(
        500,
        kind="api_error",
        code="api_error",
        message="Something went wrong on our side.",
        executed=True,
        # The answer is stored: asking again under this key would bring the same one.
        headers={"Stripe-Should-Retry": "false"},
    )
