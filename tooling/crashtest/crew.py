"""Further systems, each with servers and a process of its own, that work on the same cases.

A case mostly waits for leases to end, so that two cores have room for several at once.
"""

import multiprocessing
import queue
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from tooling.crashtest.main import opened
from tooling.local.instance import CRASH_INSTANCES

if TYPE_CHECKING:
    # A helper comes by here before its settings know its servers.
    from tooling.crashtest.case import Case
    from tooling.crashtest.running import Report

#: Seconds between two looks at what the helpers have done.
_PATIENCE = 0.5

#: Started anew, not forked: a helper has settings and connections of its own.
_PROCESSES = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Crew:
    """The helpers beside this process, the cases that nobody has begun, and what came of others."""

    helpers: Sequence[BaseProcess] = ()
    cases: "multiprocessing.Queue[Case]" = field(default_factory=_PROCESSES.Queue)
    reports: "multiprocessing.Queue[Report]" = field(default_factory=_PROCESSES.Queue)

    def run_all(
        self, cases: Sequence["Case"], run: Callable[["Case"], "Report"]
    ) -> Iterator["Report"]:
        """Yield what came of each case, in the order in which they end.

        Args:
            cases: to be run, by this process and by its helpers.
            run: runs one in this process.

        Raises:
            RuntimeError: a helper has ended before its time.
        """
        for case in cases:
            self.cases.put(case)
        left = len(cases)
        while left:
            for report in self._next(run):
                left -= 1
                yield report

    def _next(self, run: Callable[["Case"], "Report"]) -> Iterator["Report"]:
        if lost := [helper.name for helper in self.helpers if not helper.is_alive()]:
            raise RuntimeError(f"ended before their time: {', '.join(lost)}")
        with suppress(queue.Empty):
            yield run(self.cases.get(timeout=_PATIENCE))
        with suppress(queue.Empty):
            while True:
                yield self.reports.get_nowait()


@contextmanager
def helped_by(number: int) -> Iterator[Crew]:
    """Start so many helpers, and end them."""
    crew = Crew()
    helpers = [
        _PROCESSES.Process(target=_help, args=(name, crew.cases, crew.reports), name=name)
        for name in CRASH_INSTANCES[1 : 1 + number]
    ]
    for helper in helpers:
        helper.start()
    try:
        yield Crew(helpers, crew.cases, crew.reports)
    finally:
        for helper in helpers:
            helper.terminate()
        for helper in helpers:
            helper.join()
        # What nobody took any more must not keep this process from ending.
        crew.cases.cancel_join_thread()


def _help(
    name: str, cases: "multiprocessing.Queue[Case]", reports: "multiprocessing.Queue[Report]"
) -> None:
    """Open a shop of its own and run cases in it until this process is ended.

    First it gets the past that the first shop has: some points are passed only because of it.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with opened(name) as shop:
        from tooling.crashtest.play import SCENARIOS, run_one, staged
        from tooling.crashtest.running import record

        with staged(shop) as stage:
            for scenario in SCENARIOS.values():
                record(stage, scenario)
            while True:
                reports.put(run_one(stage, cases.get()))
