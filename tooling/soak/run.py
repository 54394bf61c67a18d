"""One soak over a running system: shoppers in, faults on, wait for rest, compare the books."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tooling.fakepay.journal import Journal
from tooling.soak import ledgers
from tooling.soak.audit import audit
from tooling.soak.books import Books
from tooling.soak.injector import Injector
from tooling.soak.ledgers import Sight
from tooling.soak.load import Load, read_all
from tooling.soak.modes import Mode
from tooling.soak.recovering import Recovered, progress_of, times_to_recover
from tooling.soak.report import Report
from tooling.soak.rest import Rest
from tooling.soak.staff import Staff
from tooling.soak.system import System
from tooling.soak.verdict import judge

_SAY_EVERY = 15.0


@dataclass
class Soak:
    """One run.

    Args:
        mode: what kind of soak.
        system: running, and fresh.
        direct: the environment of those who look on, past the proxies.
        opening: units on hand of each product at the beginning.
        report: filled in as far as it is known.
    """

    mode: Mode
    system: System
    direct: Mapping[str, str]
    opening: Mapping[str, int]
    report: Report
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        folder = self.system.layout.instance.folder
        self.books = Books(self.direct)
        self.clients = Journal(self.clients_path)
        self.load = Load(
            api=self.system.api,
            journal=self.clients,
            taste=self.mode.taste,
            enough=self.mode.checkouts,
            seconds=self.mode.seconds,
            under_way=self.books.under_way,
            at_once=self.mode.at_once,
        )
        self.injector = Injector(
            self.system, self.books, Journal(folder / "faults.jsonl"), lambda: self.load.accepted
        )
        self.staff = Staff(self.books, lambda: list(self.load.to_turn_back))

    @property
    def clients_path(self) -> Path:
        """The journal of the shoppers."""
        return self.system.layout.instance.folder / "clients.jsonl"

    def run(self) -> Report:
        """Run it to the end and return the report."""
        for link, state in self.mode.troubles.items():
            self.system.controls.change(link, state)
        self.say("shoppers come in")
        with (
            _beside(lambda: self.injector.run(self.mode.faults()), self.injector.stop),
            _beside(self.staff.run, self.staff.stop),
            _beside(self._tell, self.load.stopped.set),
        ):
            self.load.run()
        self.say(f"{self._so_far()}; the faults are over, waiting for rest")
        rest = Rest(self.books, self.staff, self.system.journal, self.mode.patience, self.say)
        self.report.rested = rest.come()
        self.say(f"{'at rest' if self.report.rested else 'NOT AT REST'}; every shopper looks")
        read_all(self.system.api, self.clients)
        self._reckon()
        return self.report

    def say(self, text: str) -> None:
        """Tell people how it goes."""
        print(f"{time.monotonic() - self.begun:6.0f} s  {text}", flush=True)

    def _tell(self) -> None:
        while not self.load.stopped.wait(_SAY_EVERY):
            self.say(f"{self._so_far()}, {self.books.under_way()} under way")

    def _so_far(self) -> str:
        return f"{self.load.accepted} accepted, {len(self.injector.injected)} faults"

    def _reckon(self) -> None:
        self.say("comparing the books")
        sight = ledgers.look(
            self.books,
            clients=self.clients_path,
            provider=self.system.journal,
            mails=self.system.mails,
            opening=self.opening,
        )
        report = self.report
        report.seconds = time.monotonic() - self.begun
        report.accepted = sum(bool(wish.ids) for wish in sight.wishes.values())
        report.refused = dict(sight.refused)
        report.outcomes = Counter(saga["state"] for saga in sight.sagas.values())
        report.reasons = Counter(s["reason"] for s in sight.sagas.values() if s["reason"])
        report.operator = {
            "turned back past the pivot": len(self.staff.turned_back),
            "retried": self.staff.retried,
        }
        report.faults = self.injector.injected
        report.recovered = self._recovered(sight)
        report.violations = judge(sight, may_give_up=self.mode.may_give_up)
        report.audit = audit(self.direct)

    def _recovered(self, sight: Sight) -> list[Recovered]:
        resting = {row["id"]: not row["moving"] for row in sight.sagas.values()}
        return list(times_to_recover(self.injector.kills, progress_of(self.books), resting))


@contextmanager
def _beside(work: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    """Do something beside the block; when that ends, stop it and wait for it."""
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  (raised below, where it is seen)
            failed.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join()
    if failed:
        raise failed[0]
