"""Which processes were started, so that another command can stop exactly those."""

import json
import threading
from collections.abc import Mapping
from pathlib import Path

import psutil


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
        with self._lock:
            entries = [*self._read(), {"name": name, "pid": pid, "born": born}]
            alive = [entry for entry in entries if _is_alive(entry)]
            aside = self._file.with_suffix(".part")
            aside.write_text(json.dumps(alive))
            aside.replace(self._file)

    def alive(self) -> list[tuple[str, psutil.Process]]:
        """Return the noted processes that still run."""
        entries = [entry for entry in self._read() if _is_alive(entry)]
        return [(str(entry["name"]), psutil.Process(_pid_of(entry))) for entry in entries]

    def _read(self) -> list[dict[str, object]]:
        try:
            entries: list[dict[str, object]] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return []
        return entries


def _pid_of(entry: Mapping[str, object]) -> int:
    return int(str(entry["pid"]))


def _is_alive(entry: Mapping[str, object]) -> bool:
    try:
        process = psutil.Process(_pid_of(entry))
        return process.create_time() == entry["born"] and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
