"""What the participants of a saga say of it themselves: the port between console and domains.

The engine's state says what the saga believes. The console shows what the domains hold, so
each definition names an ``Evidence`` that asks them. No text in here has personal data, but
for ``Facts.shopper``, which is masked.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID


class NotConfirmed(Exception):
    """The domains, or the provider, do not confirm what somebody wants to record by hand."""

    code = "not-confirmed"


class CannotAsk(Exception):
    """The other side did not answer, or there is nothing to ask it."""

    code = "cannot-ask"


@dataclass(frozen=True, kw_only=True)
class Held:
    """Units of one product that are, or were, held for the saga."""

    sku: str
    quantity: int
    released: bool


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One mail to the shopper, without its address and text."""

    kind: str
    status: str
    attempts: int
    at: datetime | None
    last_error: str = ""


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """A source that did not answer just now, and when it last did, as far as we know."""

    source: str
    last_answer_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Link:
    """A page about one of the saga's parts."""

    label: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a saga holds and what it cost, in the words of those who hold it.

    Amounts are minor units of ``currency``; None stands for unknown.
    """

    currency: str = ""
    charged: int | None = None
    refunded: int | None = None
    #: What the shopper's bank holds for us, and we have not taken.
    authorised: int = 0
    #: What the bank wants back, or got back.
    disputed: int = 0
    #: The provider may hold more than ``charged`` says.
    in_doubt: bool = False
    payment: str | None = None
    provider_ref: str = ""
    stock: Sequence[Held] | None = None
    order_number: str | None = None
    order_status: str | None = None
    mails: Sequence[Mail] | None = None
    unknown: Sequence[Unknown] = ()
    #: One sentence that support can say to the shopper.
    sentence: str = ""
    links: Sequence[Link] = field(default=(), compare=False)

    @property
    def net(self) -> int | None:
        """What we hold of the shopper's money."""
        if self.charged is None or self.refunded is None:
            return None
        return self.charged - self.refunded

    @property
    def is_known(self) -> bool:
        """Whether every source has answered, the provider about the charge included."""
        return not self.unknown and not self.in_doubt

    def as_json(self) -> dict[str, Any]:
        """Return what the operator log keeps."""
        kept = asdict(self)
        del kept["links"]
        kept["unknown"] = [each.source for each in self.unknown]
        for mail in kept["mails"] or ():
            mail["at"] = mail["at"].isoformat() if mail["at"] else None
        return kept

    def digest(self) -> str:
        """Return what changes when any fact changes; a preview carries it."""
        text = json.dumps(self.as_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What one row of the list says of a saga; None stands for unknown."""

    order_number: str = ""
    shopper: str = ""
    charged: int | None = None
    refunded: int | None = None
    in_doubt: bool = False
    units_held: int | None = None


class CallState(StrEnum):
    """What will become of a call in a dry run."""

    WILL_BE_MADE = "will be made"
    DONE = "done already, will be skipped"
    NOT_NEEDED = "not needed"
    REFUSED = "refused last time, tried again"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One effect that a verb would have: on which system, over what, under which key."""

    system: str
    what: str
    state: CallState = CallState.WILL_BE_MADE
    amount: int | None = None
    currency: str = ""
    key: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return what the operator log keeps."""
        return asdict(self)


class Evidence(Protocol):
    """What the console asks a definition's participants."""

    def verdict(self, saga_id: UUID, *, state: str, reason: str) -> Verdict:
        """Read what the domains hold; sources that do not answer are named, never raised."""

    def facts(self, saga_ids: Sequence[UUID]) -> Mapping[UUID, Facts]:
        """Return the row of each saga, with one query a domain."""

    def find(self, text: str) -> Sequence[UUID]:
        """Return the sagas that ``text`` is an order number, e-mail or provider reference of."""

    def calls(self, saga_id: UUID, *, steps: Sequence[str], undo: bool) -> Sequence[Call]:
        """Return what doing, or undoing, ``steps`` in this order would do now."""

    def ask(self, saga_id: UUID) -> str:
        """Let the provider say how the payment stands, record it, and say it in words.

        Raises:
            CannotAsk: there is no payment, or the provider does not answer.
        """

    def mail_again(self, saga_id: UUID) -> str:
        """Send the saga's last mail once more, under the same Message-ID; return what was done.

        Raises:
            CannotAsk: there is no mail, or the mail server does not take it.
        """

    def resolve(self, saga_id: UUID, *, step: str, undo: bool, reference: str) -> None:
        """Check, and if need be record, that ``step`` was done (or undone) by hand.

        Raises:
            NotConfirmed: the domain or the provider says otherwise, or cannot say.
        """
