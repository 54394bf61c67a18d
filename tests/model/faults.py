"""Processes that die, freeze, run out of time or lose a connection at a point of the code.

The points are the product's own (``sagas.participant.crash``). One process runs at a time, and
a frozen one goes on when it is told to, so that every run can be played again.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from kombu.exceptions import OperationalError as BrokerUnreachable

from notifications.services import MailUnavailable
from payments.gateways.port import InDoubt, Unavailable
from sagas.cutoff import CutOff
from sagas.participant.crash import Moment

_PATIENCE = 30.0
_CALL = re.compile(r'crash\.calling\("([\w.]+)"\)')


def _calls() -> frozenset[str]:
    """Return the points that are calls to another system, or publishes, from the code itself."""
    files = (
        file
        for folder in ("sagas", "payments", "notifications")
        for file in Path(settings.BASE_DIR, folder).rglob("*.py")
        if "tests" not in file.parts
    )
    return frozenset(point for file in files for point in _CALL.findall(file.read_text()))


CALLS: Final = _calls()


class Died(BaseException):
    """The process is gone: nothing catches it, nothing after it runs."""


class How(StrEnum):
    """What becomes of a process at the point where its fault strikes."""

    DIE = "dies"
    FREEZE = "freezes"
    CUT_OFF = "runs out of time"
    FAIL = "loses the other side"


@dataclass(frozen=True)
class Fault:
    """What happens at the ``at``-th moment that a process passes; 0 is the first."""

    how: How
    at: int

    def __str__(self) -> str:
        return f"{self.how} at moment {self.at}"


class Process:
    """One process of the system: a worker with a message, a request, an operator's click."""

    def __init__(self, act: Callable[[], object], fault: Fault | None = None) -> None:
        self._act, self._fault = act, fault
        self._passed = 0
        self._stands, self._goes_on = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self.struck = ""
        self.is_frozen = False
        self.died = False
        self.result: object = None
        self.error: BaseException | None = None

    def start(self) -> "Process":
        """Run until it ends, or freezes."""
        if self._fault is None or self._fault.how is not How.FREEZE:
            self._run()
            return self
        self._thread = threading.Thread(target=self._run_apart, daemon=True)
        self._thread.start()
        assert self._stands.wait(_PATIENCE), "the process neither ended nor froze"
        return self

    def thaw(self) -> None:
        """Let a frozen process go on, and wait until it ends."""
        assert self._thread is not None
        self._goes_on.set()
        self._thread.join(_PATIENCE)
        assert not self._thread.is_alive(), "the process does not end"
        self.is_frozen = False

    def reach(self, point: str, moment: Moment) -> None:
        """Be at a point; the fault strikes if this is its moment."""
        if point in CALLS:
            transactions = [each.alias for each in _with_transaction()]
            assert not transactions, f"{point} is called while {transactions} has a transaction"
        passed, self._passed = self._passed, self._passed + 1
        if self._fault is not None and self._fault.at == passed:
            self.struck = f"{point} ({moment})"
            self._strike(self._fault.how, point, moment)

    def _strike(self, how: How, point: str, moment: Moment) -> None:
        match how:
            case How.DIE:
                raise Died
            case How.FREEZE:
                self._freeze()
            case How.CUT_OFF:
                raise CutOff
            case How.FAIL:
                raise _loss(point, moment)

    def _freeze(self) -> None:
        # A server ends a session that stands idle in a transaction, long before ten minutes are up.
        for connection in _with_transaction():
            assert connection.connection is not None
            connection.connection.close()
        self.is_frozen = True
        self._stands.set()
        assert self._goes_on.wait(20 * _PATIENCE)

    def _run(self) -> None:
        _here.process = self
        try:
            self.result = self._act()
        except Died:
            self.died = True
        except BaseException as error:  # noqa: BLE001  (whoever started it looks at it)
            self.error = error
        finally:
            _here.process = None

    def _run_apart(self) -> None:
        try:
            self._run()
        finally:
            connections.close_all()
            self._stands.set()


class Faults:
    """Keeps ``sagas.participant.crash.Plan``: each process is asked about its own fault."""

    def reached(self, point: str, moment: Moment) -> None:
        """Tell the process that runs here."""
        if _here.process is not None:
            _here.process.reach(point, moment)


class _Here(threading.local):
    process: Process | None = None


_here = _Here()


def _with_transaction() -> list[BaseDatabaseWrapper]:
    return [each for each in connections.all(initialized_only=True) if each.in_atomic_block]


def _loss(point: str, moment: Moment) -> Exception:
    """Return what the code is told when the other side of ``point`` is gone."""
    if point not in CALLS:
        return OperationalError("the connection is lost")
    domain = point.partition(".")[0]
    if domain == "sagas":
        return BrokerUnreachable("the broker is away")
    if domain == "notifications":
        return MailUnavailable("TimeoutError")
    return Unavailable("never-sent") if moment is Moment.BEFORE else InDoubt("no-answer")
