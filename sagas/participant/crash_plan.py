"""A plan kept in a folder, so that one test can let processes die that it did not fork.

The folder is named by CRASH_PLAN; processes that die apart from each other have one each. A file
``<point>.<moment>`` in it arms that moment. Each of its lines says how the process ends and at
which passes, counted over all processes of the folder: ``exit 1 3 5``. Beside it,
``<point>.<moment>.passes`` counts, and ``hits`` has a line for each process that was ended. While
there is a file ``recording``, every pass of every moment is added to ``recorded``.
"""

import fcntl
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
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
class Pass:
    """A process at a moment of a point; ``at`` in seconds since the epoch."""

    at: float
    pid: int
    point: str
    moment: Moment


@dataclass(frozen=True)
class Hit(Pass):
    """A pass at which the process was ended, or stopped."""

    how: How


class FolderPlan:
    """Keeps ``sagas.participant.crash.Plan``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def arm(self, point: str, moment: Moment, passes: Mapping[How, Sequence[int]]) -> None:
        """Let processes end at these passes of a moment; the count begins at 1 again."""
        self._passes(point, moment).unlink(missing_ok=True)
        lines = [" ".join([how, *map(str, numbers)]) for how, numbers in passes.items()]
        aside = self._folder / f".{point}.{moment}"
        aside.write_text("\n".join(lines))
        aside.replace(self._order(point, moment))

    def disarm(self, point: str, moment: Moment) -> None:
        """Let everybody pass again."""
        self._order(point, moment).unlink(missing_ok=True)

    def record(self) -> None:
        """Begin to note every pass anew."""
        self._recorded.write_text("")
        self._recording.touch()

    def recorded(self) -> Sequence[Pass]:
        """Return every pass since ``record``, the first one first, and note none any more."""
        self._recording.unlink(missing_ok=True)
        with _locked(self._recorded) as log:
            log.seek(0)
            return [Pass(*_pass(line)) for line in log.read().splitlines()]

    def hits(self) -> Sequence[Hit]:
        """Return every process that was ended or stopped, the first one first."""
        file = self._folder / "hits"
        lines = file.read_text().splitlines() if file.exists() else []
        return [Hit(*_pass(line), How(line.split()[-1])) for line in lines]

    def reached(self, point: str, moment: Moment) -> None:
        """End this process if the pass is one that the order names."""
        if self._recording.exists():
            with _locked(self._recorded) as log:
                log.write(_line(point, moment))
        try:
            order = self._order(point, moment).read_text().splitlines()
        except FileNotFoundError:
            return
        with _locked(self._passes(point, moment)) as counter:
            counter.write("x")
            count = str(counter.tell())
        for how, *passes in map(str.split, order):
            if count in passes:
                self._end(point, moment, How(how))

    def _end(self, point: str, moment: Moment, how: How) -> None:
        with _locked(self._folder / "hits") as hits:
            hits.write(_line(point, moment, how))
        match how:
            case How.EXIT:
                os._exit(_EXIT_STATUS)
            case How.KILL:
                os.killpg(os.getpgrp(), signal.SIGKILL)
            case How.FREEZE:
                os.kill(os.getpid(), signal.SIGSTOP)

    @property
    def _recording(self) -> Path:
        return self._folder / "recording"

    @property
    def _recorded(self) -> Path:
        return self._folder / "recorded"

    def _order(self, point: str, moment: Moment) -> Path:
        return self._folder / f"{point}.{moment}"

    def _passes(self, point: str, moment: Moment) -> Path:
        return self._folder / f"{point}.{moment}.passes"


@contextmanager
def _locked(file: Path) -> Iterator[IO[str]]:
    """Open ``file`` for appending, alone; what was written is there when it is left."""
    with file.open("a+") as out:
        fcntl.flock(out, fcntl.LOCK_EX)
        yield out
        out.flush()


def _line(*words: str) -> str:
    return " ".join([f"{time.time():.6f}", str(os.getpid()), *words]) + "\n"


def _pass(line: str) -> tuple[float, int, str, Moment]:
    at, pid, point, moment, *_ = line.split()
    return float(at), int(pid), point, Moment(moment)
