"""Hooks of schemathesis: new keys for new checkouts, and the order token of each one placed."""

from typing import Any
from uuid import uuid4

import schemathesis
from schemathesis.auths import AuthContext
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.generation.case import Case
from schemathesis.hooks import HookContext

_PLACE = "POST /api/v1/checkouts"

#: A checkout's id, or its order's number -> the token that shows it to its guest.
_tokens: dict[str, str] = {}
#: The checkouts that were placed, the newest last.
_newest: list[str] = []


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
    named = case.path_parameters.get("checkout_id")
    if named and named not in _tokens and _newest:
        # A made-up id finds nothing; one test of that is enough (_newest is empty then).
        case.path_parameters["checkout_id"] = _newest[-1]


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """Remember whose token shows which checkout and which order."""
    if "/checkouts" not in case.operation.path or response.status_code not in (200, 201, 202):
        return
    answer = response.json()
    if "order_token" in answer:
        _newest.append(answer["id"])
    token = answer.get("order_token") or _tokens.get(answer.get("id"))
    if token:
        _tokens[answer["id"]] = token
        if answer["order_number"]:
            _tokens[answer["order_number"]] = token


@schemathesis.auth(refresh_interval=None).skip_for(name=_PLACE)
class OrderToken:
    """A guest shows the token of the checkout or the order that they ask for, or of another."""

    def get(self, case: Case[Any], context: AuthContext) -> str | None:
        """Return the token that the request needs, or the newest."""
        places = case.path_parameters or {}
        named = str(places.get("checkout_id") or places.get("number"))
        return _tokens.get(named) or (_tokens[_newest[-1]] if _newest else None)

    def set(self, case: Case[Any], data: str, context: AuthContext) -> None:
        """Put it into the header."""
        case.headers["Authorization"] = f"Order {data}"
