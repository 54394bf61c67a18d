"""Hooks of schemathesis: new keys for new checkouts, and the order token of each one placed."""

import os
from typing import Any
from uuid import uuid4

import schemathesis
from schemathesis.auths import AuthContext
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.generation.case import Case
from schemathesis.hooks import HookContext

_PLACE = "POST /api/v1/checkouts"
_CANCEL = "POST /api/v1/checkouts/{checkout_id}/cancel"
_REFUND = "POST /api/v1/orders/{number}/refunds"
#: Who gives parts of orders back; the test makes the token.
_STAFF = os.environ.get("FUZZ_STAFF_TOKEN", "")

#: A checkout's id, or its order's number -> the token that shows it to its guest.
_tokens: dict[str, str] = {}
#: The checkouts that were placed, and those that nobody has tried to cancel; the newest last.
_placed: list[str] = []
_may_be_cancelled: list[str] = []
#: The numbers of orders that are confirmed and paid; the newest last.
_numbers: list[str] = []


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Make a valid request a shopper's: a key of its own, a checkout that was placed."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if case.operation.label == _PLACE:
        case.headers["Idempotency-Key"] = str(uuid4())
        # Held requests would make the fuzz slow; the wait has tests of its own.
        if "Prefer" in case.headers:
            case.headers["Prefer"] = "wait=1"
        body: Any = case.body
        if len(body["lines"]) > 1:
            # Only of one line does the dictionary know the total.
            body.pop("expected_total", None)
    if case.operation.label == _REFUND:
        case.headers["Idempotency-Key"] = str(uuid4())
        # The document cannot say that one of the two is needed.
        wanted: Any = case.body
        if not wanted.get("lines"):
            wanted.setdefault("amount", 1)
    number = case.path_parameters.get("number")
    if number and number not in _tokens and _numbers:
        case.path_parameters["number"] = _numbers[-1]
        if not _is_staffs(case):
            case.headers["Authorization"] = f"Order {_tokens[_numbers[-1]]}"
    named = case.path_parameters.get("checkout_id")
    if named and named not in _tokens and _placed:
        # A made-up id finds nothing; it is tried until a checkout is placed, and no more then.
        wanted = _may_be_cancelled if case.operation.label == _CANCEL else _placed
        chosen = (wanted or _placed)[-1]
        case.path_parameters["checkout_id"] = chosen
        case.headers["Authorization"] = f"Order {_tokens[chosen]}"


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """Remember whose token shows which checkout and which order, and what was cancelled."""
    if case.operation.label == _CANCEL:
        named = case.path_parameters.get("checkout_id")
        _may_be_cancelled[:] = [each for each in _may_be_cancelled if each != named]
    if "/checkouts" not in case.operation.path or response.status_code not in (200, 201, 202):
        return
    answer = response.json()
    if "order_token" in answer:
        _placed.append(answer["id"])
        _may_be_cancelled.append(answer["id"])
    token = answer.get("order_token") or _tokens.get(answer.get("id"))
    if token:
        _tokens[answer["id"]] = token
        if answer["order_number"]:
            _tokens[answer["order_number"]] = token
            if answer["status"] == "completed":
                _numbers.append(answer["order_number"])


@schemathesis.auth(refresh_interval=None).skip_for(name=_PLACE)
class OrderToken:
    """A guest shows the token of the checkout or the order that they ask for, or of another.

    Refunds of parts are for staff, who show their own.
    """

    def get(self, case: Case[Any], context: AuthContext) -> str | None:
        """Return the credentials that the request needs, or the newest token."""
        if _is_staffs(case):
            return f"Token {_STAFF}"
        places = case.path_parameters or {}
        named = str(places.get("checkout_id") or places.get("number"))
        token = _tokens.get(named) or (_tokens[_placed[-1]] if _placed else None)
        return token and f"Order {token}"

    def set(self, case: Case[Any], data: str, context: AuthContext) -> None:
        """Put it into the header."""
        case.headers["Authorization"] = data


def _is_staffs(case: Case[Any]) -> bool:
    return bool(_STAFF) and "/refunds" in case.operation.path
