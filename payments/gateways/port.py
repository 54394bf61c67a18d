"""The port: what Makegood asks of any payment provider, in its own words.

One rule stands above the rest: an outcome that is not known is never read as a failure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from payments.gateways.ledger import Ledger


class IntentStatus(StrEnum):
    """What the provider says of an intent."""

    OPEN = "open"  # may be confirmed; no money has moved
    DECLINED = "declined"  # the last confirm was a definite no; may be confirmed or cancelled
    PROCESSING = "processing"  # the bank's word is awaited
    SUCCEEDED = "succeeded"  # the money is captured
    CANCELLED = "cancelled"  # no confirm is accepted any more


class RefundStatus(StrEnum):
    """What the provider says of a refund."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Intent:
    """A payment intent at the provider; amounts in minor units, currency in ISO 4217."""

    ref: str
    status: IntentStatus
    amount: int
    captured: int
    currency: str
    charge_ref: str = ""
    decline_code: str = ""


@dataclass(frozen=True, kw_only=True)
class Refund:
    """A refund at the provider; the amount in minor units."""

    ref: str
    status: RefundStatus
    amount: int


class GatewayError(Exception):
    """A call did not bring what was asked for; the text is free of personal data."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Declined(GatewayError):
    """A definite no to the charge: the card, or the payment method, was refused."""


class Rejected(GatewayError):
    """A definite no to the request itself; nothing was executed, the key is spent."""


class InDoubt(GatewayError):
    """Nobody knows whether it was done: no answer, or none that says so.

    ``answered`` tells that the provider gave an error as its answer: it keeps that answer
    under the idempotency key, so that only another key can get through.
    """

    def __init__(self, code: str, *, answered: bool = False) -> None:
        super().__init__(code)
        self.answered = answered


class Unavailable(GatewayError):
    """The request never reached the provider: nothing was done."""


class UnexpectedState(GatewayError):
    """The intent's state does not allow the verb; the error brings the intent as it is."""

    def __init__(self, intent: Intent) -> None:
        super().__init__(f"intent-{intent.status}")
        self.intent = intent


class Gateway(Ledger, Protocol):
    """A payment provider; what it has in its books is read through ``Ledger``.

    Every verb may raise ``InDoubt``, ``Unavailable`` and ``Rejected``; the others are named.
    """

    def create_intent(self, *, key: str, payment_id: str, amount: int, currency: str) -> Intent:
        """Make an intent, or return the one that ``key`` made. No money moves."""

    def confirm(self, *, ref: str, key: str, token: str) -> Intent:
        """Ask for the money of an intent.

        Raises:
            Declined: a definite no.
            UnexpectedState: it was confirmed, or cancelled, before.
        """

    def look_up(self, *, ref: str) -> Intent:
        """Return the intent as the provider has it now."""

    def find(self, *, payment_id: str) -> Intent | None:
        """Return the newest intent that was made for ``payment_id``, or None."""

    def cancel(self, *, ref: str, key: str) -> Intent:
        """Forbid every later confirm of an intent.

        Raises:
            UnexpectedState: it succeeded, is being processed, or was cancelled before.
        """

    def refund(self, *, ref: str, key: str, amount: int) -> Refund:
        """Give the shopper ``amount`` back; ``Rejected`` is a definite no."""

    def refunds_of(self, *, ref: str) -> Sequence[Refund]:
        """Return the refunds of an intent, made by whomever."""
