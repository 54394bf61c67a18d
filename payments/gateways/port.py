"""The port: what Makegood asks of any payment provider, in its own words.

The contract, which ``payments/tests/contract.py`` checks of every provider:

1. An outcome that is not known is never read as a failure: it is ``InDoubt``.
2. A key belongs to one request. The provider answers a repeat with the first answer, and a key
   with other parameters not at all. It forgets keys after ``key_horizon``; whoever repeats a
   request later looks first for what it may have made, by our own ids in the metadata.
3. An intent has a state machine of its own: it is captured once at the most, and never after a
   cancel was accepted, apart from a bank's late word, which is looked for (``payments.late``).
4. What a webhook says is a hint: the state is always asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from payments.gateways.ledger import Ledger


class IntentStatus(StrEnum):
    """What the provider says of an intent."""

    OPEN = "open"  # may be confirmed; no money has moved
    DECLINED = "declined"  # the last confirm was a definite no; may be confirmed or cancelled
    REQUIRES_ACTION = "requires_action"  # the shopper has to authenticate
    PROCESSING = "processing"  # the bank's word is awaited
    AUTHORISED = "authorised"  # the money is held for us, and may be captured
    SUCCEEDED = "succeeded"  # the money is captured
    CANCELLED = "cancelled"  # no confirm is accepted any more


class RefundStatus(StrEnum):
    """What the provider says of a refund."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class DisputeStatus(StrEnum):
    """What the provider says of a dispute."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, kw_only=True)
class Action:
    """What the shopper has to do before the charge can go on; never logged, purged when done.

    ``kind`` is ``redirect`` (to ``url``), or ``sdk``: the provider's own script does it with the
    client secret.
    """

    kind: str
    client_secret: str = field(repr=False)
    url: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Intent:
    """A payment intent at the provider; amounts in minor units, currency in ISO 4217.

    ``payment_id`` is our own id, as its metadata has it; empty if somebody else made it.
    """

    ref: str
    status: IntentStatus
    amount: int
    captured: int
    currency: str
    manual_capture: bool = False
    payment_id: str = ""
    charge_ref: str = ""
    decline_code: str = ""
    action: Action | None = None


@dataclass(frozen=True, kw_only=True)
class Refund:
    """A refund at the provider; the amount in minor units.

    ``operation_id`` is our own id, as its metadata has it; empty if somebody made it elsewhere.
    """

    ref: str
    status: RefundStatus
    amount: int
    operation_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Dispute:
    """A shopper's bank wants the money back; the amount in minor units."""

    ref: str
    status: DisputeStatus
    amount: int
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Event:
    """A verified webhook, reduced to ids: something about ``intent_ref`` may have changed."""

    id: str
    kind: str
    intent_ref: str
    created_at: datetime


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
    under the idempotency key, so that only another key can get through. ``retry_after`` is how
    many seconds it wants to be left alone.
    """

    def __init__(self, code: str, *, answered: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(code)
        self.answered = answered
        self.retry_after = retry_after


class Unavailable(GatewayError):
    """The request never reached the provider: nothing was done."""


class UnexpectedState(GatewayError):
    """The intent's state does not allow the verb; the error brings the intent as it is."""

    def __init__(self, intent: Intent) -> None:
        super().__init__(f"intent-{intent.status}")
        self.intent = intent


class WebhookRefused(Exception):
    """The webhook is not the provider's, too old, or cannot be read; the text says which."""

    code = "webhook-refused"


class Gateway(Ledger, Protocol):
    """A payment provider; what it has in its books is read through ``Ledger``.

    Every call may raise ``InDoubt``, ``Unavailable`` and ``Rejected``; the others are named.
    Keys are committed before the call, and have at most 255 characters.
    """

    #: How old a key may be when its request is sent again; less than what the provider promises.
    key_horizon: timedelta

    def create_intent(
        self, *, key: str, payment_id: str, amount: int, currency: str, manual_capture: bool = False
    ) -> Intent:
        """Make an intent, or return the one that ``key`` made. No money moves.

        ``manual_capture``: a confirm only authorises, and ``capture`` takes the money.
        """

    def confirm(self, *, ref: str, key: str, token: str) -> Intent:
        """Ask for the money of an intent, or for its authorisation.

        The answer may be that the shopper has to act first, or that the bank takes its time.

        Raises:
            Declined: a definite no.
            UnexpectedState: it was confirmed, or cancelled, before.
        """

    def look_up(self, *, ref: str) -> Intent:
        """Return the intent as the provider has it now."""

    def find(self, *, payment_id: str) -> Intent | None:
        """Return the newest intent that was made for ``payment_id``, or None.

        An intent that was made a moment ago may not be found yet; its key still is.
        """

    def capture(self, *, ref: str, key: str) -> Intent:
        """Take the whole authorised amount.

        Raises:
            UnexpectedState: it is captured, or not authorised (any more).
        """

    def cancel(self, *, ref: str, key: str) -> Intent:
        """Forbid every later confirm of an intent, and void its authorisation.

        Raises:
            UnexpectedState: it succeeded, is being processed, or was cancelled before.
        """

    def refund(self, *, ref: str, key: str, amount: int, operation_id: str) -> Refund:
        """Give the shopper ``amount`` back; ``Rejected`` is a definite no."""

    def refunds_of(self, *, ref: str) -> Sequence[Refund]:
        """Return the refunds of an intent, made by whomever."""

    def disputes_of(self, *, ref: str) -> Sequence[Dispute]:
        """Return the disputes of an intent."""

    def read_webhook(self, *, body: bytes, headers: Mapping[str, str]) -> Event:
        """Verify a webhook and return what it is about; nothing is called.

        Args:
            body: as it came, byte for byte.
            headers: of the request; names in any case.

        Raises:
            WebhookRefused: it proves nothing.
        """
