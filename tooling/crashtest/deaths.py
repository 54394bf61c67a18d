"""Lets processes of a case end, follows who did, and wakes those that are frozen."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sagas.participant.crash_plan import FolderPlan, Hit, How
from tooling.crashtest.case import Case, Order
from tooling.crashtest.shop import Shop

_LOOK_EVERY = 0.2


class Deaths:
    """The processes that have ended, or were frozen, since a case began."""

    def __init__(self, plans: Mapping[str, FolderPlan], case: Case) -> None:
        self._plans, self._orders = plans, case.orders
        self._before = set(self._all())
        self._woken: dict[Hit, bool] = {}

    @property
    def hits(self) -> list[Hit]:
        """Every one of them, the first one first."""
        return sorted(self._since(), key=lambda hit: hit.at)

    @property
    def missing(self) -> Mapping[Order, int]:
        """How many have not ended that should, by the order that they should have met."""
        ended = Counter((at, hit.point, hit.moment) for hit, at in self._since().items())
        return {
            order: few
            for order in self._orders
            if (few := order.total - ended[order.program, order.point, order.moment]) > 0
        }

    @property
    def frozen(self) -> list[Hit]:
        """Those that are frozen and wait to be woken."""
        return [h for h in self.hits if h.how is How.FREEZE and h not in self._woken]

    def wake(self, hit: Hit) -> None:
        """Let a frozen process go on, unless its worker has ended it meanwhile."""
        try:
            os.kill(hit.pid, signal.SIGCONT)
        except ProcessLookupError:
            self._woken[hit] = False
        else:
            self._woken[hit] = True

    def by_order(self) -> Counter[tuple[Order, How]]:
        """Return how many have ended at each order; of the frozen, those that came back."""
        since = self._since()
        return Counter(
            (order, hit.how)
            for order in self._orders
            for hit, program in since.items()
            if (program, hit.point, hit.moment) == (order.program, order.point, order.moment)
            and self._woken.get(hit, True)
        )

    def _since(self) -> dict[Hit, str]:
        return {hit: name for hit, name in self._all().items() if hit not in self._before}

    def _all(self) -> dict[Hit, str]:
        programs = {order.program for order in self._orders}
        return {hit: program for program in programs for hit in self._plans[program].hits()}


@contextmanager
def dying(shop: Shop, case: Case) -> Iterator[Deaths]:
    """Arm a case for as long as the block runs; nobody is frozen any more at its end."""
    deaths = Deaths(shop.plans, case)
    for order in case.orders:
        numbers = order.numbers(count=case.count, seed=case.seed)
        shop.plans[order.program].arm(order.point, order.moment, numbers)
    try:
        with _waking(deaths, shop.frozen):
            yield deaths
    finally:
        for order in case.orders:
            shop.plans[order.program].disarm(order.point, order.moment)


@contextmanager
def _waking(deaths: Deaths, seconds: float) -> Iterator[None]:
    """Wake each frozen process after these seconds; all of them at the end."""
    over = threading.Event()

    def wake() -> None:
        while not over.wait(_LOOK_EVERY):
            for hit in deaths.frozen:
                if time.time() - hit.at > seconds:
                    deaths.wake(hit)

    waker = threading.Thread(target=wake)
    waker.start()
    try:
        yield
    finally:
        over.set()
        waker.join()
        for hit in deaths.frozen:
            deaths.wake(hit)
