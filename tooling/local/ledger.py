"""Which processes were started, so that another command can stop exactly those."""

import fcntl
import json
import signal
import threading
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class _Turn:
    """Processes that are ended together: how they are asked, and the seconds that they get."""

    names: Container[str]
    how: signal.Signals
    grace: float


_WORKERS = _Turn((), signal.SIGTERM, grace=5.0)
_TURNS = (
    _Turn(("supervisor",), signal.SIGTERM, grace=40.0),
    _WORKERS,
    _Turn(("valkey",), signal.SIGTERM, grace=15.0),
    # SIGINT breaks connections off; on SIGTERM PostgreSQL would wait for its clients.
    _Turn(("postgres",), signal.SIGINT, grace=15.0),
)


class Ledger:
    """A file of started processes, each by its pid and its time of birth: pids are used again."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def note(self, name: str, pid: int) -> None:
        """Remember a process, and forget those that have ended."""
        try:
            born = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            return
        with self._lock, self._alone():
            entries = [*self._read(), {"name": name, "pid": pid, "born": born}]
            alive = [entry for entry in entries if _is_alive(entry)]
            aside = self._file.with_suffix(".part")
            aside.write_text(json.dumps(alive))
            aside.replace(self._file)

    def alive(self) -> list[tuple[str, psutil.Process]]:
        """Return the noted processes that still run."""
        entries = [entry for entry in self._read() if _is_alive(entry)]
        return [(str(entry["name"]), psutil.Process(_pid_of(entry))) for entry in entries]

    def end_all(self, *, but: Container[int] = ()) -> list[str]:
        """End the noted processes in order, those with a pid in ``but`` excepted.

        A supervisor ends its own processes, so it is asked first; servers are ended last.

        Returns:
            What was ended, in words.
        """
        ended = []
        for turn in _TURNS:
            # Looked up anew: a supervisor takes its own with it.
            due = [entry for entry in self.alive() if _turn_of(entry[0]) is turn]
            due = [(name, process) for name, process in due if process.pid not in but]
            ended += [f"{name} (pid {process.pid})" for name, process in due]
            _end([process for _, process in due], turn)
        return ended

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from writing meanwhile."""
        with self._file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> list[dict[str, object]]:
        try:
            entries: list[dict[str, object]] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return []
        return entries


def _turn_of(name: str) -> _Turn:
    return next((turn for turn in _TURNS if name in turn.names), _WORKERS)


def _end(processes: Sequence[psutil.Process], turn: _Turn) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(turn.how)
    _, left = psutil.wait_procs(processes, timeout=turn.grace)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            for one in [*process.children(recursive=True), process]:
                with suppress(psutil.NoSuchProcess):
                    one.kill()


def _pid_of(entry: Mapping[str, object]) -> int:
    return int(str(entry["pid"]))


def _is_alive(entry: Mapping[str, object]) -> bool:
    try:
        process = psutil.Process(_pid_of(entry))
        return process.create_time() == entry["born"] and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
