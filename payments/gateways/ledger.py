"""The provider's ledger, read page by page: what it holds, whoever asked it to.

Both gateways read Stripe's shape of a payment intent with its charge expanded.
Source: Stripe API reference, "List all PaymentIntents" and "The Charge object".
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

_Object = Mapping[str, Any]

#: Intents of one page: as many as Stripe gives.
PAGE = 100


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One intent in the provider's ledger; amounts in minor units.

    ``payment_id`` is what we wrote into its metadata, empty if nobody did. ``refunded`` counts
    refunds that are not through yet as well. ``created`` is the provider's clock.
    """

    ref: str
    payment_id: str
    amount: int
    captured: int
    refunded: int
    currency: str
    created: datetime

    @property
    def held(self) -> int:
        """What the shop holds of it."""
        return self.captured - self.refunded


class Ledger(Protocol):
    """The part of a gateway that the audit reads; raises as ``port.Gateway``."""

    def entries(self, *, since: datetime, before: datetime) -> Iterator[Entry]:
        """Yield the intents created from ``since`` on and before ``before``, newest first."""

    def entry(self, *, ref: str) -> Entry | None:
        """Return one intent as it is now, or None if the provider has none of that id."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of the list, newest first."""

    entries: Sequence[Entry]
    has_more: bool


def pages(ask: Callable[[_Object], Page], *, since: datetime, before: datetime) -> Iterator[Entry]:
    """Page through the list of intents.

    Args:
        ask: returns one page of ``GET /v1/payment_intents`` for these parameters.
        since, before: bounds of ``created``; Stripe keeps whole seconds.
    """
    query: dict[str, Any] = {
        "created": {"gte": math.floor(since.timestamp()), "lt": math.ceil(before.timestamp())},
        "limit": PAGE,
        "expand": ["data.latest_charge"],
    }
    while True:
        page = ask(query)
        yield from page.entries
        if not page.has_more:
            return
        query["starting_after"] = page.entries[-1].ref


def page_of(answer: _Object) -> Page:
    """Read one page; KeyError or TypeError if it has another shape."""
    return Page(entries=[entry_of(each) for each in answer["data"]], has_more=answer["has_more"])


def entry_of(intent: _Object) -> Entry:
    """Read an intent whose ``latest_charge`` is expanded."""
    charge = intent["latest_charge"] or {"amount_refunded": 0}
    return Entry(
        ref=intent["id"],
        payment_id=intent["metadata"].get("payment_id", ""),
        amount=intent["amount"],
        captured=intent["amount_received"],
        refunded=charge["amount_refunded"],
        currency=intent["currency"].upper(),
        created=datetime.fromtimestamp(intent["created"], tz=UTC),
    )
