"""What everybody wrote down, each in their own book, gathered by checkout and not yet judged."""

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tooling.soak.books import Books, Row
from tooling.soak.orders import Fate

_MAIL = re.compile(r"\d+-(?P<kind>confirmation|apology)\.(?P<saga>[0-9a-f-]{36})@")


@dataclass
class Wish:
    """What a client asked for and was told: from the client's journal."""

    key: str
    number: int
    token: str
    fate: Fate
    lines: Mapping[str, int]
    total: int
    hot: bool
    turned_back: bool
    ids: set[str] = field(default_factory=set)
    cancelled: bool = False
    read: dict[str, Any] | None = None


@dataclass
class Money:
    """What the provider did for one intent, in minor units."""

    payment_id: str
    amount: int = 0
    captures: list[int] = field(default_factory=list)
    refunds: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def refunded(self) -> Sequence[int]:
        """The amounts of the refunds that got through."""
        return [amount for amount, status in self.refunds.values() if status == "succeeded"]


@dataclass
class Sight:
    """All books at one moment; sagas, payments and orders are rows as the databases have them."""

    wishes: dict[str, Wish]
    sagas: dict[str, Row]
    moneys: dict[str, list[Money]]
    strays: list[Money]
    orders: dict[str, list[Row]]
    held: dict[str, dict[str, int]]
    stock: dict[str, Row]
    opening: dict[str, int]
    mails: dict[str, Counter[str]]
    unclean_sends: dict[str, int]
    refused: Counter[str]


def look(
    books: Books, *, clients: Path, provider: Path, mails: Path, opening: Mapping[str, int]
) -> Sight:
    """Read every book.

    Args:
        books: the five databases.
        clients: the journal of the shoppers.
        provider: the provider's journal.
        mails: the folder of the mail server.
        opening: units on hand of each product when the soak began.
    """
    wishes, refused = wishes_in(clients)
    sagas = {
        str(row["id"]): row
        for row in books.rows(
            "default",
            "SELECT id, state, parked, reason, idempotency_key, amount, "
            "coalesce(next_attempt_at, lease_until) IS NOT NULL AS moving, "
            "finished_at >= deadline_at AS after_deadline FROM sagas_saga",
        )
    }
    moneys, strays = _by_saga(moneys_in(provider), books)
    orders: dict[str, list[Row]] = defaultdict(list)
    for row in books.rows("orders", "SELECT saga_id, status, total FROM orders_order"):
        orders[str(row["saga_id"])].append(row)
    held: dict[str, dict[str, int]] = defaultdict(dict)
    for row in books.rows(
        "inventory",
        "SELECT r.saga_id, l.sku, l.quantity FROM inventory_reservationline l "
        "JOIN inventory_reservation r ON r.id = l.reservation_id WHERE r.status = 'HELD'",
    ):
        mine = held[str(row["saga_id"])]
        mine[row["sku"]] = mine.get(row["sku"], 0) + row["quantity"]
    stock = books.rows("inventory", "SELECT sku, on_hand, reserved FROM inventory_stock")
    return Sight(
        wishes=wishes,
        sagas=sagas,
        moneys=moneys,
        strays=strays,
        orders=orders,
        held=held,
        stock={row["sku"]: row for row in stock},
        opening=dict(opening),
        mails=mails_in(mails),
        unclean_sends=_unclean_sends(books),
        refused=refused,
    )


def wishes_in(journal: Path) -> tuple[dict[str, Wish], Counter[str]]:
    """Return what clients asked for by key, and how often each kind of refusal came at once."""
    wishes: dict[str, Wish] = {}
    refused: Counter[str] = Counter()
    key_of: dict[str, str] = {}
    for event in _lines(journal):
        match event["event"]:
            case "asked":
                order = event["order"]
                wishes[order["key"]] = Wish(
                    key=order["key"],
                    number=order["number"],
                    token=order["token"],
                    fate=Fate(order["fate"]),
                    lines=order["lines"],
                    total=order["total"],
                    hot=order["hot"],
                    turned_back=order["turned_back"],
                )
            case "accepted":
                wishes[event["key"]].ids.add(event["id"])
                key_of[event["id"]] = event["key"]
            case "cancels":
                wishes[event["key"]].cancelled = True
            case "read":
                wishes[key_of[event["id"]]].read = event
            case "refused":
                refused[f"{event['status']} {event['why'].rpartition('/')[2]}"] += 1
    return wishes, refused


def moneys_in(journal: Path) -> Mapping[str, Money]:
    """Return what the provider did, by intent, from its own journal."""
    moneys: dict[str, Money] = {}
    for event in _lines(journal):
        match event["event"]:
            case "intent":
                intent = event["intent"]
                money = moneys.setdefault(
                    intent["id"], Money(payment_id=intent["metadata"].get("payment_id", ""))
                )
                money.amount = intent["amount"]
            case "capture":
                moneys[event["intent"]].captures.append(event["capture"]["amount"])
            case "refund":
                refund = event["refund"]
                moneys[refund["payment_intent"]].refunds[refund["id"]] = (
                    refund["amount"],
                    refund["status"],
                )
    return moneys


def mails_in(folder: Path) -> dict[str, Counter[str]]:
    """Return how often each kind of mail arrived, by checkout."""
    mails: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in os.scandir(folder):
        if found := _MAIL.match(entry.name):
            mails[found["saga"]][found["kind"]] += 1
    return mails


def money_kept(books: Books, provider: Path) -> int:
    """Return how much the provider still holds for checkouts that are undone, in minor units."""
    undone = books.rows("default", "SELECT id FROM sagas_saga WHERE state = 'COMPENSATED'")
    moneys, _ = _by_saga(moneys_in(provider), books)
    return sum(
        sum(money.captures) - sum(money.refunded)
        for row in undone
        for money in moneys.get(str(row["id"]), ())
    )


def _by_saga(
    moneys: Mapping[str, Money], books: Books
) -> tuple[dict[str, list[Money]], list[Money]]:
    """Sort the intents by checkout; those that no payment of ours knows are strays."""
    rows = books.rows("payments", "SELECT id, saga_id FROM payments_payment")
    saga_of = {str(row["id"]): str(row["saga_id"]) for row in rows}
    sorted_: dict[str, list[Money]] = defaultdict(list)
    strays = []
    for money in moneys.values():
        if money.payment_id in saga_of:
            sorted_[saga_of[money.payment_id]].append(money)
        else:
            strays.append(money)
    return sorted_, strays


def _unclean_sends(books: Books) -> dict[str, int]:
    """Return how many attempts to send a mail did not end well, by checkout."""
    rows = books.rows(
        "default",
        "SELECT saga_id, count(*) AS n FROM sagas_steprun WHERE outcome <> 'succeeded' "
        "AND step IN ('send_confirmation', 'send_apology') GROUP BY saga_id",
    )
    return {str(row["saga_id"]): int(row["n"]) for row in rows}


def _lines(journal: Path) -> Iterable[dict[str, Any]]:
    with journal.open() as lines:
        for line in lines:
            # The last line of a journal that is being written may be half of one.
            if line.endswith("\n"):
                yield json.loads(line)
