"""One embedded set of servers: where its files are, and the environment that points at it.

Instances (``run``, ``demo``, ``test``, …) share nothing, so that they can be up side by side.
"""

import fcntl
import hashlib
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY / ".data"
#: The crash test's own, and those of its helpers.
CRASH_INSTANCES = ("crash", "crash-2", "crash-3", "crash-4")
INSTANCES = ("run", "demo", "test", "soak", "bench", *CRASH_INSTANCES)
#: Those that may be made to fail on purpose, which settings allow in tests only.
_FOR_TESTS = ("test", *CRASH_INSTANCES)

#: What ``config.safety`` looks for; importing it would need the very settings made here.
EMBEDDED_MARKER = ".makegood-embedded"

#: environment variable -> database name; the same variables that settings read.
DATABASES = {
    "DATABASE_URL": "makegood_default",
    "ORDERS_DATABASE_URL": "makegood_orders",
    "INVENTORY_DATABASE_URL": "makegood_inventory",
    "PAYMENTS_DATABASE_URL": "makegood_payments",
    "NOTIFICATIONS_DATABASE_URL": "makegood_notifications",
}

#: sockaddr_un holds 108 bytes; PostgreSQL adds "/.s.PGSQL.5432.lock" to the folder.
_LONGEST_SOCKET_FOLDER = 80


class AlreadyRunning(Exception):
    """Another process holds the instance."""


@dataclass(frozen=True)
class Instance:
    """The embedded servers under ``.data/<name>/``."""

    name: str
    data: Path = DATA

    @property
    def folder(self) -> Path:
        """Everything that the instance keeps."""
        return self.data / self.name

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.folder / "logs"

    @property
    def ledger(self) -> Path:
        """The file in which started processes are noted."""
        return self.folder / "processes.json"

    @property
    def sockets(self) -> Path:
        """Where the servers listen; elsewhere when the repository's path is too long for that."""
        folder = self.folder / "sockets"
        if len(str(folder)) <= _LONGEST_SOCKET_FOLDER:
            return folder
        return Path(tempfile.gettempdir()) / f"makegood-{os.getuid()}-{self._digest}"

    @property
    def readable_by_all(self) -> Path:
        """Where PostgreSQL lives when root has to run it as another user."""
        return Path("/var/tmp") / f"makegood-postgres-{self._digest}"

    def folders_elsewhere(self) -> Sequence[Path]:
        """Return the folders that may lie outside of ``folder``."""
        return [self.sockets, self.readable_by_all]

    @property
    def _digest(self) -> str:
        return hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]

    def make_folders(self) -> None:
        """Create the folders, private to this user, and mark the sockets as embedded."""
        for folder in (self.folder, self.logs, self.sockets):
            folder.mkdir(parents=True, exist_ok=True)
        if self.sockets.stat().st_uid != os.getuid():
            raise PermissionError(f"{self.sockets} belongs to another user")
        self.sockets.chmod(0o700)
        (self.sockets / EMBEDDED_MARKER).touch()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the instance; the operating system lets go of it however this process ends.

        Raises:
            AlreadyRunning: another process holds it.
        """
        self.make_folders()
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(
                    f"The instance '{self.name}' is already running; `make stop` stops it."
                ) from None
            yield

    def secret(self, name: str, *, length: int = 48) -> str:
        """Return a secret that is made once and kept, readable by this user only."""
        file = self.folder / name
        if not file.exists():
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as out:
                out.write(secrets.token_urlsafe(length))
        return file.read_text()

    def environment(self) -> dict[str, str]:
        """Return the variables that point the project at this instance's servers."""
        host = quote(str(self.sockets), safe="")
        return {
            **{
                variable: f"postgres://postgres@{host}/{database}"
                for variable, database in DATABASES.items()
            },
            "BROKER_URL": f"redis+socket://{quote(str(self.sockets))}/valkey.sock",
            "MAKEGOOD_ENV": "test" if self.name in _FOR_TESTS else "development",
            "SECRET_KEY": self.secret("secret-key"),
            "ALLOWED_HOSTS": "127.0.0.1,localhost",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }


def free_port(preferred: int = 0) -> int:
    """Return ``preferred`` if nobody listens there, else any free TCP port on the loopback."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise OSError("no free port on 127.0.0.1")
