"""Compares the books: what was promised against what everybody wrote down. Pure; reads nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tooling.soak.ledgers import Money, Sight, Wish
from tooling.soak.orders import Fate

Row = Mapping[str, Any]


class Wrong(StrEnum):
    """The classes of violations."""

    LOST = "lost"
    GHOST = "ghost charge"
    DOUBLED = "doubled"
    OVERSOLD = "oversold"
    LEAKED = "leaked"
    HANGING = "hanging"
    FALSE_COMPENSATION = "false compensation"
    MISLED = "shopper misled"


#: Reasons of our own making: nothing was wrong with the checkout, and it could not be finished.
GIVEN_UP = ("deadline", "retries-exhausted")


@dataclass(frozen=True)
class Violation:
    """Something that must not be: its class, whose it is (a checkout, key or SKU), and words."""

    wrong: Wrong
    whose: str
    what: str


def judge(sight: Sight, *, may_give_up: bool) -> Sequence[Violation]:
    """Return everything in which the books disagree with each other or with what is promised.

    Args:
        sight: the books, at rest.
        may_give_up: whether a healthy checkout may be given up after its deadline or its last
            attempt; it may where things were broken, not where they were only slow.
    """
    found = [*_requests(sight), *_strays(sight), *_stock(sight)]
    for saga_id, saga in sight.sagas.items():
        case = _Case(sight, saga_id, saga, sight.wishes.get(saga["idempotency_key"]))
        found += case.judge(may_give_up=may_give_up)
    return found


def _requests(sight: Sight) -> Iterator[Violation]:
    """Every accepted request has exactly one saga, and equal keys have one id."""
    sagas_of = Counter(saga["idempotency_key"] for saga in sight.sagas.values())
    for key, wish in sight.wishes.items():
        if len(wish.ids) > 1 or sagas_of[key] > 1:
            yield Violation(Wrong.DOUBLED, key, f"{len(wish.ids)} ids, {sagas_of[key]} sagas")
        for saga_id in wish.ids - sight.sagas.keys():
            yield Violation(Wrong.LOST, saga_id, "accepted, and there is no saga")
        if wish.ids and wish.read is None:
            yield Violation(Wrong.MISLED, key, "its shopper could not read how it stands")


def _strays(sight: Sight) -> Iterator[Violation]:
    for money in sight.strays:
        if money.captures:
            yield Violation(
                Wrong.GHOST, money.payment_id, f"captured {money.captures}, unknown to us"
            )


def _stock(sight: Sight) -> Iterator[Violation]:
    held: Counter[str] = Counter()
    for lines in sight.held.values():
        held.update(lines)
    sold: Counter[str] = Counter()
    for saga in sight.sagas.values():
        wish = sight.wishes.get(saga["idempotency_key"])
        if saga["state"] == "COMPLETE" and wish is not None:
            sold.update(wish.lines)
    for sku, opening in sight.opening.items():
        row = sight.stock[sku]
        on_hand, reserved = row["on_hand"], row["reserved"]
        if on_hand != opening or reserved > on_hand or sold[sku] > opening:
            yield Violation(
                Wrong.OVERSOLD, sku, f"{opening} at first, {on_hand} on hand, {sold[sku]} sold"
            )
        if reserved > sold[sku]:
            yield Violation(Wrong.LEAKED, sku, f"{reserved} reserved, {sold[sku]} sold")
        if reserved < sold[sku] or reserved < held[sku]:
            yield Violation(
                Wrong.OVERSOLD, sku, f"{reserved} reserved, {held[sku]} held, {sold[sku]} sold"
            )


@dataclass(frozen=True)
class _Case:
    """One saga and all that is known of it."""

    sight: Sight
    saga_id: str
    saga: Row
    wish: Wish | None

    def judge(self, *, may_give_up: bool) -> Sequence[Violation]:
        if self.wish is None:
            return [self._say(Wrong.GHOST, "nobody asked for it")]
        found = [*self._money(self.wish), *self._doubles()]
        state = self.saga["state"]
        if self.saga["moving"] or self.saga["parked"] or state not in ("COMPLETE", "COMPENSATED"):
            found.append(self._say(Wrong.HANGING, f"{state} {self.saga['parked']}".strip()))
        elif state == "COMPLETE":
            found += self._complete(self.wish)
        else:
            found += self._compensated(self.wish, may_give_up=may_give_up)
        return found

    def _say(self, wrong: Wrong, what: str) -> Violation:
        return Violation(wrong, self.saga_id, what)

    @property
    def _moneys(self) -> Sequence[Money]:
        return self.sight.moneys.get(self.saga_id, [])

    @property
    def _captured(self) -> int:
        return sum(sum(money.captures) for money in self._moneys)

    @property
    def _refunded(self) -> int:
        return sum(sum(money.refunded) for money in self._moneys)

    def _money(self, wish: Wish) -> Iterator[Violation]:
        captures = [amount for money in self._moneys for amount in money.captures]
        refunds = [amount for money in self._moneys for amount in money.refunded]
        if len(captures) > 1:
            yield self._say(Wrong.DOUBLED, f"captured {captures}")
        if len(refunds) > 1 or sum(refunds) > sum(captures):
            yield self._say(Wrong.DOUBLED, f"captured {captures}, refunded {refunds}")
        if any(amount != wish.total for amount in captures):
            yield self._say(Wrong.GHOST, f"captured {captures} for {wish.total}")

    def _doubles(self) -> Iterator[Violation]:
        orders = self.sight.orders.get(self.saga_id, [])
        if len(orders) > 1:
            yield self._say(Wrong.DOUBLED, f"{len(orders)} orders")
        mails = self.sight.mails.get(self.saga_id, Counter())
        again = sum(n - 1 for n in mails.values())
        # A mail may come twice where a crash hit its sending, and nowhere else.
        if again > self.sight.unclean_sends.get(self.saga_id, 0):
            yield self._say(Wrong.DOUBLED, f"mails {dict(mails)} without so many crashes")

    def _complete(self, wish: Wish) -> Iterator[Violation]:
        if self._captured - self._refunded != wish.total:
            yield self._say(
                Wrong.LOST, f"complete with {self._captured} - {self._refunded} of {wish.total}"
            )
        if self._order != "CONFIRMED":
            yield self._say(Wrong.LOST, f"complete, and its order is {self._order}")
        held = self.sight.held.get(self.saga_id, {})
        if held != dict(wish.lines):
            yield self._say(Wrong.LOST, f"complete, holds {held} of {dict(wish.lines)}")
        mails = self.sight.mails.get(self.saga_id, Counter())
        if not mails["confirmation"]:
            yield self._say(Wrong.LOST, "complete, and its confirmation was never sent")
        if mails["apology"]:
            yield self._say(Wrong.MISLED, "complete, and an apology was sent")
        yield from self._reads(("completed",), wish)

    def _compensated(self, wish: Wish, *, may_give_up: bool) -> Iterator[Violation]:
        if self._captured > self._refunded:
            yield self._say(Wrong.GHOST, f"undone, and {self._captured - self._refunded} are kept")
        if self._order not in ("CANCELLED", "none"):
            yield self._say(Wrong.LEAKED, f"undone, and its order is {self._order}")
        if held := self.sight.held.get(self.saga_id):
            yield self._say(Wrong.LEAKED, f"undone, and still holds {held}")
        mails = self.sight.mails.get(self.saga_id, Counter())
        if not mails["apology"]:
            yield self._say(Wrong.LOST, "undone, and its apology was never sent")
        if mails["confirmation"] and self.saga["reason"] != "operator":
            yield self._say(Wrong.MISLED, "undone, and a confirmation was sent")
        if not self._had_reason(wish, may_give_up=may_give_up):
            yield self._say(
                Wrong.FALSE_COMPENSATION, f"undone because of {self.saga['reason']} ({wish.token})"
            )
        yield from self._reads(("failed", "cancelled"), wish)

    def _had_reason(self, wish: Wish, *, may_give_up: bool) -> bool:
        match self.saga["reason"]:
            case "card-declined":
                return wish.fate is not Fate.PAID
            case "out-of-stock":
                return wish.hot
            case "cancelled":
                return wish.cancelled
            case "operator":
                return wish.turned_back
            case "deadline":
                return may_give_up and bool(self.saga["after_deadline"])
            case reason:
                return may_give_up and reason in GIVEN_UP

    @property
    def _order(self) -> str:
        orders = self.sight.orders.get(self.saga_id, [])
        return str(orders[0]["status"]) if orders else "none"

    def _reads(self, statuses: Sequence[str], wish: Wish) -> Iterator[Violation]:
        read = wish.read
        if read is None:
            return
        told = (read["charged"], read["refunded"])
        if read["status"] not in statuses or told != (self._captured, self._refunded):
            yield self._say(
                Wrong.MISLED, f"its shopper reads {read['status']}, {told[0]} - {told[1]}"
            )
