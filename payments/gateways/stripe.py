"""Stripe, through its own SDK. Keeps the port's contract (``payments.gateways.port.Gateway``).

No global state of the SDK is used: each process has clients of its own, made when they are first
needed, so that a forked worker never shares a connection with its parent.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

import stripe
import structlog
from django.conf import settings

from payments.gateways import stripe_reading as reading
from payments.gateways.ledger import Entry, Page, entry_of, page_of, pages
from payments.gateways.port import (
    Dispute,
    Event,
    GatewayError,
    InDoubt,
    Intent,
    Refund,
    Rejected,
    WebhookRefused,
)
from payments.gateways.transport import Transport

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Pinned, so that the account's own setting cannot change the shapes under us; the SDK's own.
API_VERSION = "2026-10-28.endive"
#: The SDK would repeat a request by itself, under the same key, and sleep meanwhile. The saga does
#: better: it asks first, waits in the database, counts, and is seen by staff.
NETWORK_RETRIES = 0
#: Seconds that a webhook may be old.
TOLERANCE = 300
#: Objects of a page at the most.
_PAGE = 100


@dataclass(frozen=True, kw_only=True)
class Account:
    """Whose account at which address; secrets are never shown."""

    secret_key: str
    webhook_secrets: tuple[str, ...]
    api_base: str
    #: Whether the environment's proxies lead there.
    proxies: bool = True

    def __repr__(self) -> str:
        return f"Account({self.api_base})"

    @property
    def is_live(self) -> bool:
        """Whether it moves real money."""
        return "_live_" in self.secret_key


class StripeGateway:
    #: Stripe forgets a key when it is 24 hours old; the hour is for clocks and for slow requests.
    key_horizon = timedelta(hours=23)

    @property
    def account(self) -> Account:
        """The account that the settings name."""
        return Account(
            secret_key=settings.STRIPE_SECRET_KEY,
            webhook_secrets=tuple(settings.STRIPE_WEBHOOK_SECRETS),
            api_base=settings.STRIPE_API_BASE,
        )

    def create_intent(
        self, *, key: str, payment_id: str, amount: int, currency: str, manual_capture: bool = False
    ) -> Intent:
        return _call(
            lambda: self._intents.create(
                {
                    "amount": amount,
                    "currency": currency.lower(),
                    "capture_method": "manual" if manual_capture else "automatic_async",
                    "metadata": {"payment_id": payment_id},
                    # Others take days to say yes; a checkout waits for minutes.
                    "allowed_payment_method_types": ["card"],
                },
                {"idempotency_key": key},
            ),
            reading.intent_of,
        )

    def confirm(self, *, ref: str, key: str, token: str) -> Intent:
        parameters: Any = _method(token)
        if settings.PAYMENT_RETURN_URL:
            parameters["return_url"] = settings.PAYMENT_RETURN_URL
        return _call(
            lambda: self._intents.confirm(ref, parameters, {"idempotency_key": key}),
            reading.intent_of,
        )

    def look_up(self, *, ref: str) -> Intent:
        return _call(lambda: self._intents.retrieve(ref), reading.intent_of)

    def find(self, *, payment_id: str) -> Intent | None:
        query = f"metadata['payment_id']:'{payment_id}'"
        found = _call(
            lambda: self._intents.search({"query": query, "limit": _PAGE}),
            _each(reading.intent_of),
        )
        return found[0] if found else None

    def capture(self, *, ref: str, key: str) -> Intent:
        return _call(
            lambda: self._intents.capture(ref, {}, {"idempotency_key": key}), reading.intent_of
        )

    def cancel(self, *, ref: str, key: str) -> Intent:
        return _call(
            lambda: self._intents.cancel(ref, {}, {"idempotency_key": key}), reading.intent_of
        )

    def refund(self, *, ref: str, key: str, amount: int, operation_id: str) -> Refund:
        return _call(
            lambda: self._api.v1.refunds.create(
                {
                    "payment_intent": ref,
                    "amount": amount,
                    "metadata": {"operation_id": operation_id},
                },
                {"idempotency_key": key},
            ),
            reading.refund_of,
        )

    def refunds_of(self, *, ref: str) -> Sequence[Refund]:
        return _call(
            lambda: self._api.v1.refunds.list({"payment_intent": ref, "limit": _PAGE}),
            _each(reading.refund_of),
        )

    def disputes_of(self, *, ref: str) -> Sequence[Dispute]:
        return _call(
            lambda: self._api.v1.disputes.list({"payment_intent": ref, "limit": _PAGE}),
            _each(reading.dispute_of),
        )

    def entries(self, *, since: datetime, before: datetime) -> Iterator[Entry]:
        def ask(query: Any) -> Page:
            return _call(lambda: self._intents.list(query), page_of)

        return pages(ask, since=since, before=before)

    def entry(self, *, ref: str) -> Entry | None:
        try:
            return _call(
                lambda: self._intents.retrieve(ref, {"expand": ["latest_charge"]}), entry_of
            )
        except Rejected as no:
            if no.code == "resource_missing":
                return None
            raise

    def read_webhook(self, *, body: bytes, headers: Mapping[str, str]) -> Event:
        account = self.account
        signed = {name.lower(): value for name, value in headers.items()}.get("stripe-signature")
        if not any(_is_signed(body, signed, secret) for secret in account.webhook_secrets):
            raise WebhookRefused("the signature is missing, wrong, or too old")
        try:
            if reading.is_live(body) != account.is_live:
                raise WebhookRefused("test events and real money do not mix")
            return reading.event_of(body)
        except reading.MALFORMED:
            raise WebhookRefused("it is signed, but no event that can be read") from None

    @property
    def _api(self) -> stripe.StripeClient:
        wait = (settings.PAYMENT_CONNECT_TIMEOUT, settings.PAYMENT_READ_TIMEOUT)
        return _client(os.getpid(), self.account, *wait)

    @property
    def _intents(self) -> stripe.PaymentIntentService:
        return self._api.v1.payment_intents


@lru_cache(maxsize=8)
def _client(process: int, account: Account, connect: float, read: float) -> stripe.StripeClient:
    """Return this process's client; ``process`` keeps a forked child off its parent's sockets."""
    return stripe.StripeClient(
        account.secret_key,
        stripe_version=API_VERSION,
        base_addresses={"api": account.api_base},
        max_network_retries=NETWORK_RETRIES,
        http_client=Transport(connect=connect, read=read, proxies=account.proxies),
    )


def _call(send: Callable[[], stripe.StripeObject], read: Callable[[reading.Object], T]) -> T:
    """Send one request and read its answer; every fault becomes one of the port's exceptions."""
    try:
        return read(send().to_dict())
    except stripe.StripeError as error:
        fault = reading.fault_of(error)
        # The SDK's own text quotes the answer: only the fault goes on, and what to ask Stripe by.
        log.info("provider_answered", fault=fault.code, request_id=error.request_id or "")
    except reading.MALFORMED:
        fault = InDoubt("malformed-answer")
    raise _without_cause(fault)


def _without_cause(fault: GatewayError) -> GatewayError:
    fault.__suppress_context__ = True
    return fault


def _each(read: Callable[[reading.Object], T]) -> Callable[[reading.Object], list[T]]:
    return lambda answer: [read(one) for one in answer["data"]]


def _method(token: str) -> dict[str, Any]:
    """Return the parameter by which a confirm names how it is paid."""
    match token.partition("_")[0]:
        case "ctoken":
            return {"confirmation_token": token}
        case "tok":
            return {"payment_method_data": {"type": "card", "card": {"token": token}}}
    return {"payment_method": token}


def _is_signed(body: bytes, signed: str | None, secret: str) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(body, signed, secret, TOLERANCE))
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
