"""Waits until nothing moves any more, with an operator who retries what waits for one."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tooling.soak.books import Books
from tooling.soak.ledgers import money_kept
from tooling.soak.staff import Staff

#: The operator does not wait for a back-off that is longer than this, in seconds.
_LONG_WAIT = 12.0
_LOOK_EVERY = 1.0
#: The provider's late words come within this time; whoever rests still rests afterwards.
_LOOK_AGAIN_AFTER = 5.0


@dataclass(frozen=True)
class Rest:
    """Brings a system to rest once its faults are over.

    Args:
        books: the databases.
        staff: who retries.
        provider: the provider's journal.
        patience: seconds after which it is given up.
        say: tells people how it goes.
    """

    books: Books
    staff: Staff
    provider: Path
    patience: float
    say: Callable[[str], None]

    def come(self) -> bool:
        """Wait; tell whether everything came to rest in time."""
        until = time.monotonic() + self.patience
        told = time.monotonic()
        while time.monotonic() < until:
            if self._rests():
                time.sleep(_LOOK_AGAIN_AFTER)
                if self._rests():
                    return True
            if time.monotonic() - told > 15:
                told = time.monotonic()
                self.say(f"  {self.books.under_way()} under way")
            time.sleep(_LOOK_EVERY)
        return False

    def _rests(self) -> bool:
        self.staff.turn_back()
        waiting = self.books.waiting(longer_than=_LONG_WAIT)
        if waiting:
            self.staff.retry(waiting)
            return False
        if self.books.under_way() != 0:
            return False
        kept = money_kept(self.books, self.provider)
        return not kept
