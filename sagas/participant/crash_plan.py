"""A plan kept in a folder, so that one test can let processes die that it did not fork.

The folder is named by CRASH_PLAN. A file ``<point>.<moment>`` in it arms that moment. It says
how the process ends and at which passes, counted over all processes: ``exit 1 3 5``. Beside it,
``<point>.<moment>.passes`` counts, and ``hits`` has a line for each process that was ended.
"""

import fcntl
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from sagas.participant.crash import Moment

_EXIT_STATUS = 70


class How(StrEnum):
    """What becomes of the process that reaches an armed moment."""

    EXIT = "exit"  # this process only: a pool's child
    KILL = "kill"  # its whole process group: a worker with all of its children
    FREEZE = "freeze"  # stopped until somebody sends SIGCONT


@dataclass(frozen=True)
class Hit:
    """A process that was ended, or stopped, at a point; ``at`` in seconds since the epoch."""

    point: str
    moment: Moment
    how: How
    pid: int
    at: float


class FolderPlan:
    """Keeps ``sagas.participant.crash.Plan``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def arm(self, point: str, moment: Moment, how: How, *, passes: Sequence[int]) -> None:
        """Let processes end at these passes of a moment; the count begins at 1 again."""
        self._passes(point, moment).unlink(missing_ok=True)
        order = " ".join([how, *map(str, passes)])
        aside = self._folder / f".{point}.{moment}"
        aside.write_text(order)
        aside.replace(self._order(point, moment))

    def disarm(self, point: str, moment: Moment) -> None:
        """Let everybody pass again."""
        self._order(point, moment).unlink(missing_ok=True)

    def hits(self) -> Sequence[Hit]:
        """Return every process that was ended or stopped, the first one first."""
        file = self._folder / "hits"
        lines = file.read_text().splitlines() if file.exists() else []
        return [_hit(line) for line in lines]

    def reached(self, point: str, moment: Moment) -> None:
        """End this process if the pass is one that the order names."""
        try:
            how, *passes = self._order(point, moment).read_text().split()
        except FileNotFoundError:
            return
        with _locked(self._passes(point, moment)) as counter:
            counter.write("x")
            count = counter.tell()
        if str(count) in passes:
            self._end(point, moment, How(how))

    def _end(self, point: str, moment: Moment, how: How) -> None:
        with _locked(self._folder / "hits") as hits:
            hits.write(f"{point} {moment} {how} {os.getpid()} {time.time():.6f}\n")
        match how:
            case How.EXIT:
                os._exit(_EXIT_STATUS)
            case How.KILL:
                os.killpg(os.getpgrp(), signal.SIGKILL)
            case How.FREEZE:
                os.kill(os.getpid(), signal.SIGSTOP)

    def _order(self, point: str, moment: Moment) -> Path:
        return self._folder / f"{point}.{moment}"

    def _passes(self, point: str, moment: Moment) -> Path:
        return self._folder / f"{point}.{moment}.passes"


@contextmanager
def _locked(file: Path) -> Iterator[IO[str]]:
    """Open ``file`` for appending, alone; what was written is there when it is left."""
    with file.open("a") as out:
        fcntl.flock(out, fcntl.LOCK_EX)
        yield out
        out.flush()


def _hit(line: str) -> Hit:
    point, moment, how, pid, at = line.split()
    return Hit(point, Moment(moment), How(how), int(pid), float(at))
