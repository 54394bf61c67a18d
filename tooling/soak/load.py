"""The crowd: shoppers side by side, who hold back while too many checkouts are under way."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tooling.fakepay.journal import Journal
from tooling.soak.orders import Taste
from tooling.soak.shopper import GaveUp, Shopper

SHOPPERS = 8
_LOOK_EVERY = 0.25


@dataclass
class Load:
    """Places orders until enough were accepted, or the time is up.

    Args:
        api: where the API is.
        journal: the clients' own book.
        taste: what they order.
        enough: accepted checkouts after which nobody orders any more; None has no such end.
        seconds: after which nobody orders any more; None has no such end.
        under_way: tells how many checkouts are not settled yet; None if nobody knows just now.
        at_once: checkouts under way above which the shoppers hold back.
    """

    api: str
    journal: Journal
    taste: Taste
    enough: int | None
    seconds: float | None
    under_way: Callable[[], int | None]
    at_once: int
    accepted: int = 0
    #: Keys of accepted checkouts that the operator is to undo.
    to_turn_back: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    _ordered: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _may_order: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Return when the last shopper has gone."""
        shoppers = [threading.Thread(target=self._shop, daemon=True) for _ in range(SHOPPERS)]
        for shopper in shoppers:
            shopper.start()
        until = None if self.seconds is None else time.monotonic() + self.seconds
        while any(shopper.is_alive() for shopper in shoppers):
            if until is not None and time.monotonic() > until:
                self.stopped.set()
            self._hold_back_or_not()
            time.sleep(_LOOK_EVERY)

    def _hold_back_or_not(self) -> None:
        under_way = self.under_way()
        crowded = under_way is None or under_way > self.at_once
        if crowded and not self.stopped.is_set():
            self._may_order.clear()
        else:
            self._may_order.set()

    def _shop(self) -> None:
        shopper = Shopper(self.api, self.journal)
        while (number := self._next()) is not None:
            order = self.taste.order(number)
            if shopper.place(order):
                with self._lock:
                    self.accepted += 1
                    if order.turned_back:
                        self.to_turn_back.append(order.key)

    def _next(self) -> int | None:
        self._may_order.wait()
        with self._lock:
            if self.enough is not None and self.accepted >= self.enough:
                self.stopped.set()
            if self.stopped.is_set():
                return None
            self._ordered += 1
            return self._ordered


def read_all(api: str, journal: Journal) -> None:
    """Let every shopper look how their checkout stands in the end."""
    checkouts = {event["id"]: event for event in journal.events() if event["event"] == "accepted"}
    left = list(checkouts.values())

    def look() -> None:
        shopper = Shopper(api, journal)
        while True:
            try:
                checkout = left.pop()
            except IndexError:
                return
            try:
                shopper.read(checkout)
            except GaveUp as error:
                journal.append("gave_up", id=checkout["id"], why=str(error))

    readers = [threading.Thread(target=look, daemon=True) for _ in range(SHOPPERS // 2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
