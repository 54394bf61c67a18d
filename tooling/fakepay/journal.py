"""The provider's memory: an append-only file of JSON lines, synced before anything is answered."""

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """One event a line. A line that a kill tore is dropped when the file is opened again."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.Lock()
        _drop_torn_line(path)
        self._file = path.open("ab", buffering=0)

    def append(self, event: str, **fields: Any) -> None:
        """Write one event with its wall-clock time in seconds; it is on disk on return."""
        line = json.dumps({"event": event, "at": time.time(), **fields}, separators=(",", ":"))
        with self._lock:
            self._file.write(line.encode() + b"\n")
            os.fsync(self._file.fileno())

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield all events, oldest first."""
        with self._path.open("rb") as lines:
            for line in lines:
                yield json.loads(line)


def _drop_torn_line(path: Path) -> None:
    if path.exists():
        written = path.read_bytes()
        whole = written.rfind(b"\n") + 1
        if whole < len(written):
            os.truncate(path, whole)
