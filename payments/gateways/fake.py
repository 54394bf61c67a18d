"""The gateway to the fake provider, over HTTP. Reads Stripe's shapes, speaks the port's words."""

import atexit
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

import httpx
from django.conf import settings

from payments.gateways.ledger import Entry, Page, entry_of, page_of, pages
from payments.gateways.port import (
    Declined,
    InDoubt,
    Intent,
    IntentStatus,
    Refund,
    RefundStatus,
    Rejected,
    Unavailable,
    UnexpectedState,
)

_Object = Mapping[str, Any]
_T = TypeVar("_T")

_STATUS = {
    "requires_confirmation": IntentStatus.OPEN,
    "requires_payment_method": IntentStatus.OPEN,
    "processing": IntentStatus.PROCESSING,
    "succeeded": IntentStatus.SUCCEEDED,
    "canceled": IntentStatus.CANCELLED,
}
_REFUND_STATUS = {
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}
_SERVER_ERROR = 500
#: A key in flight, and a locked object or too many requests: the first request may have worked.
_BUSY = (409, 429)
#: What httpx raises before it has sent a byte of the request.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class FakeGateway:
    """Keeps the port's contract (``payments.gateways.port.Gateway``)."""

    def create_intent(self, *, key: str, payment_id: str, amount: int, currency: str) -> Intent:
        body = {
            "amount": amount,
            "currency": currency.lower(),
            "metadata": {"payment_id": payment_id},
        }
        return _call("POST", "/v1/payment_intents", _intent, key=key, body=body)

    def confirm(self, *, ref: str, key: str, token: str) -> Intent:
        path = f"/v1/payment_intents/{ref}/confirm"
        return _call("POST", path, _intent, key=key, body={"payment_method": token})

    def look_up(self, *, ref: str) -> Intent:
        return _call("GET", f"/v1/payment_intents/{ref}", _intent)

    def find(self, *, payment_id: str) -> Intent | None:
        query = {"metadata[payment_id]": payment_id}
        found = _call("GET", "/v1/payment_intents/search", _each(_intent), query=query)
        return found[0] if found else None

    def cancel(self, *, ref: str, key: str) -> Intent:
        return _call("POST", f"/v1/payment_intents/{ref}/cancel", _intent, key=key)

    def refund(self, *, ref: str, key: str, amount: int) -> Refund:
        body = {"payment_intent": ref, "amount": amount}
        return _call("POST", "/v1/refunds", _refund, key=key, body=body)

    def refunds_of(self, *, ref: str) -> Sequence[Refund]:
        return _call("GET", "/v1/refunds", _each(_refund), query={"payment_intent": ref})

    def entries(self, *, since: datetime, before: datetime) -> Iterator[Entry]:
        def ask(query: Mapping[str, str]) -> Page:
            return _call("GET", "/v1/payment_intents", page_of, query=query)

        return pages(ask, since=since, before=before)

    def entry(self, *, ref: str) -> Entry | None:
        path = f"/v1/payment_intents/{ref}"
        try:
            return _call("GET", path, entry_of, query={"expand[]": "latest_charge"})
        except Rejected as no:
            if no.code == "resource_missing":
                return None
            raise


def _call(
    method: str,
    path: str,
    read: Callable[[_Object], _T],
    *,
    key: str = "",
    body: _Object | None = None,
    query: Mapping[str, str] | None = None,
) -> _T:
    """Send one request and read its answer; every fault becomes one of the port's exceptions."""
    wait = httpx.Timeout(settings.PAYMENT_READ_TIMEOUT, connect=settings.PAYMENT_CONNECT_TIMEOUT)
    headers = {"Idempotency-Key": key} if key else {}
    client = _client(os.getpid(), settings.FAKE_PROVIDER_URL)
    try:
        response = client.request(
            method, path, json=body, params=query, headers=headers, timeout=wait
        )
    except _NEVER_SENT as error:
        raise Unavailable("provider-unreachable") from error
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise InDoubt("no-answer") from error
    if response.status_code >= _SERVER_ERROR:
        raise InDoubt("provider-error", answered=response.status_code == _SERVER_ERROR)
    if response.status_code in _BUSY:
        raise InDoubt("provider-busy")
    try:
        if response.is_success:
            return read(response.json())
        fault = _fault(response.json()["error"])
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InDoubt("malformed-answer") from error
    raise fault


@lru_cache(maxsize=4)
def _client(process: int, url: str) -> httpx.Client:
    """Return this process's client; ``process`` keeps a forked child off its parent's sockets."""
    # Proxies from the environment are for the outside world; the fake provider stands beside us.
    client = httpx.Client(base_url=url, trust_env=False)
    atexit.register(client.close)
    return client


def _fault(error: _Object) -> Exception:
    """Return the port's exception for a definite error answer."""
    code = str(error.get("code", ""))
    if code == "payment_intent_unexpected_state":
        return UnexpectedState(_intent(error["payment_intent"]))
    if error.get("type") == "card_error" or error.get("param") == "payment_method":
        return Declined(_short(error.get("decline_code") or code))
    return Rejected(_short(code))


def _intent(answer: _Object) -> Intent:
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
        charge_ref=answer["latest_charge"] or "",
        decline_code=_short(last_error.get("decline_code") or last_error.get("code")),
    )


def _refund(answer: _Object) -> Refund:
    return Refund(
        ref=answer["id"],
        # Stripe has further statuses, such as requires_action: none of them is an outcome.
        status=_REFUND_STATUS.get(answer["status"], RefundStatus.PENDING),
        amount=answer["amount"],
    )


def _each(read: Callable[[_Object], _T]) -> Callable[[_Object], list[_T]]:
    return lambda answer: [read(one) for one in answer["data"]]


def _short(code: object) -> str:
    """Keep a provider's code within our columns."""
    return str(code or "")[:64]
