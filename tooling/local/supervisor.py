"""Runs the system's processes: prefixed logs, restart with back-off, orderly stop.

honcho never restarts what died, and supervisord shows no prefixed log in the foreground;
the demo and the tests also need to kill and restart one process from code.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import psutil

from tooling.local.ledger import Ledger

_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)
_FIRST_BACKOFF = 0.2
#: A process that lived this many seconds is taken to have been healthy.
_HEALTHY_AFTER = 10.0
_POLL_SECONDS = 0.1
_PROBE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Program:
    """One process to keep running.

    ``ready`` is a pattern in its output that says it is up, and ``probe`` a URL that answers
    with 200 from then on, if it has one; ``grace`` the seconds that it gets to stop by
    itself; ``last`` puts its stop after that of the others; ``environment`` is added to what
    every process gets; ``niceness`` is how far it stands back where there are too few cores.
    """

    name: str
    command: Sequence[str]
    ready: str
    probe: str = ""
    grace: float = 10.0
    last: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    niceness: int = 0


class NotReady(Exception):
    """A program did not come up in time; the text ends with its last lines."""


@dataclass
class _Running:
    program: Program
    log: Path
    colour: int
    is_ready: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    process: "subprocess.Popen[str] | None" = None
    keeper: threading.Thread | None = None
    #: Held while the process is reaped or signalled: a pid that was reaped may be another's.
    lock: threading.Lock = field(default_factory=threading.Lock)

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send a signal to the process, or to all below it too, unless it has ended."""
        with self.lock:
            if self.process is not None and self.process.returncode is None:
                (os.killpg if group else os.kill)(self.process.pid, number)


class Supervisor:
    """Keeps programs running until they are stopped.

    Args:
        environment: what every process gets.
        folder: working directory of every process.
        logs: folder of one log file a program.
        ledger: file in which the started processes are noted.
        echo: whether to repeat the logs on standard output.
        longest_backoff: seconds at the most before a process that keeps dying is started again.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        folder: Path,
        logs: Path,
        ledger: Path,
        echo: bool,
        longest_backoff: float = 10.0,
    ) -> None:
        self._environment = dict(environment)
        self._folder, self._logs, self._echo = folder, logs, echo
        self._ledger = Ledger(ledger)
        self._longest_backoff = longest_backoff
        self._running: dict[str, _Running] = {}
        self._logged: set[str] = set()
        self._coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def start(self, program: Program) -> None:
        """Start a program and keep it running; its log begins anew the first time."""
        colour = _COLOURS[len(self._running) % len(_COLOURS)]
        running = _Running(program, self._logs / f"{program.name}.log", colour)
        if program.name not in self._logged:
            self._logged.add(program.name)
            running.log.write_bytes(b"")
        self._running[program.name] = running
        running.keeper = threading.Thread(target=self._keep, args=(running,), daemon=True)
        running.keeper.start()

    def wait_ready(self, *names: str, timeout: float = 60.0) -> None:
        """Wait until the named programs, or all, said that they are up; NotReady otherwise."""
        deadline = time.monotonic() + timeout
        for name in names or tuple(self._running):
            running = self._running[name]
            if not running.is_ready.wait(max(0.0, deadline - time.monotonic())):
                raise NotReady(f"{name} is not up after {timeout:g} s:\n{tail(running.log)}")
            while running.program.probe and not _answers(running.program.probe):
                if time.monotonic() > deadline:
                    raise NotReady(f"{running.program.probe} does not answer after {timeout:g} s")
                time.sleep(_POLL_SECONDS)

    def pid(self, name: str) -> int:
        """Return the process id of a program."""
        process = self._running[name].process
        if process is None:
            raise NotReady(f"{name} was never started")
        return process.pid

    def children(self, name: str) -> list[int]:
        """Return the process ids below a program: the pool of a worker."""
        return [child.pid for child in psutil.Process(self.pid(name)).children(recursive=True)]

    def kill(self, name: str) -> None:
        """SIGKILL the program and all below it; it is restarted like after any death."""
        self._running[name].is_ready.clear()
        self._running[name].signal(signal.SIGKILL, group=True)

    def restart(self, name: str) -> None:
        """Stop the program in order: SIGTERM, its grace, then SIGKILL; it is started again."""
        running = self._running[name]
        before = running.process
        running.is_ready.clear()
        running.signal(signal.SIGTERM)
        deadline = time.monotonic() + running.program.grace
        while running.process is before and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        if running.process is before:
            running.signal(signal.SIGKILL, group=True)

    def freeze(self, name: str) -> None:
        """SIGSTOP the program and all below it: alive, and not doing anything."""
        self._running[name].signal(signal.SIGSTOP, group=True)

    def thaw(self, name: str) -> None:
        """SIGCONT the program and all below it: it goes on where it was."""
        self._running[name].signal(signal.SIGCONT, group=True)

    def stop(self, *names: str) -> None:
        """Stop the named programs for good: SIGTERM, their grace, then SIGKILL."""
        stopping = [self._running.pop(name) for name in names]
        for running in stopping:
            running.stopped.set()
            running.signal(signal.SIGTERM)
        for running in stopping:
            _await_end(running)

    def stop_all(self) -> None:
        """Stop everything: the workers first, what they talk to last."""
        for last in (False, True):
            self.stop(*[name for name, r in self._running.items() if r.program.last is last])

    def __enter__(self) -> "Supervisor":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()

    def _keep(self, running: _Running) -> None:
        backoff = _FIRST_BACKOFF
        while not running.stopped.is_set():
            begun = time.monotonic()
            code = self._run_once(running)
            running.is_ready.clear()
            if running.stopped.is_set():
                return
            if time.monotonic() - begun > _HEALTHY_AFTER:
                backoff = _FIRST_BACKOFF
            self._say(running, f"ended with code {code}; started again in {backoff:.1f} s")
            running.stopped.wait(backoff)
            backoff = min(backoff * 2, self._longest_backoff)

    def _run_once(self, running: _Running) -> int:
        process = subprocess.Popen(
            ["nice", "-n", str(running.program.niceness), *running.program.command],
            cwd=self._folder,
            env={**self._environment, **running.program.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        with running.lock:
            running.process = process
        if running.stopped.is_set():  # stop came just before there was anything to signal
            running.signal(signal.SIGTERM)
        self._ledger.note(running.program.name, process.pid)
        reader = threading.Thread(target=self._read, args=(running, process), daemon=True)
        reader.start()
        # Wait without reaping: until then the pid, and so its group, are nobody else's.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with running.lock:
            # What it left behind would keep its ports, its queues and its output open.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        reader.join()
        if process.stdout is not None:
            process.stdout.close()
        return code

    def _read(self, running: _Running, process: "subprocess.Popen[str]") -> None:
        ready = re.compile(running.program.ready)
        with running.log.open("a") as log:
            for line in process.stdout or ():
                log.write(line)
                log.flush()
                if ready.search(line):
                    running.is_ready.set()
                self._say(running, line.rstrip())

    def _say(self, running: _Running, text: str) -> None:
        if not self._echo:
            return
        name = f"{running.program.name:<13}|"
        prefix = f"\x1b[{running.colour}m{name}\x1b[0m" if self._coloured else name
        print(f"{prefix} {text}", flush=True)


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def _await_end(running: _Running) -> None:
    if running.keeper is None:
        return
    running.keeper.join(timeout=running.program.grace)
    while running.keeper.is_alive():
        running.signal(signal.SIGKILL, group=True)
        running.keeper.join(timeout=_POLL_SECONDS)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_PROBE_SECONDS) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False
