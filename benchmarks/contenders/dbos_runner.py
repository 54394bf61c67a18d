"""Runs the checkout on DBOS beside ours: its own environment, the same servers."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tooling.local.instance import REPOSITORY

_HERE = Path(__file__).parent
_VENV = REPOSITORY / "build" / "bench" / "dbos-venv"
_DATABASES = ("", "orders", "inventory", "payments", "notifications")


class DbosShop:
    """The running contender."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid

    def run(self, checkouts: int) -> float:
        """Complete so many checkouts and return the seconds that it took."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"run {checkouts}\n")
        self._process.stdin.flush()
        seconds: float = json.loads(self._line())["seconds"]
        return seconds

    def wait_ready(self) -> None:
        """Wait until it is warm."""
        while self._line() != "ready":
            pass

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the checkout on DBOS has ended; its words are above")
        return line.strip()


@contextmanager
def running(environment: Mapping[str, str], *, threads: int) -> Iterator[DbosShop]:
    """Install it if need be, make its databases, and keep it running.

    Args:
        environment: of our own shop: where PostgreSQL, the provider and the mail server are.
        threads: of its executor.
    """
    _install()
    given = {**environment, "DBOS_THREADS": str(threads), **_make_databases(environment)}
    mail = urlsplit(environment["EMAIL_URL"])
    given["MAIL_ADDRESS"] = f"{mail.hostname}:{mail.port}"
    command = [str(_VENV / "bin" / "python"), str(_HERE / "dbos_shop.py")]
    with subprocess.Popen(
        command, env=given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            shop = DbosShop(process)
            shop.wait_ready()
            yield shop
        finally:
            process.terminate()


def _install() -> None:
    wanted = _HERE / "requirements-dbos.txt"
    installed = _VENV / "installed"
    if installed.exists() and installed.stat().st_mtime > wanted.stat().st_mtime:
        return
    print("installing DBOS into a virtual environment of its own ...", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", str(_VENV)], check=True)
    pip = [str(_VENV / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(wanted)], check=True)
    installed.touch()


def _make_databases(environment: Mapping[str, str]) -> Mapping[str, str]:
    url = urlsplit(environment["DATABASE_URL"])
    folder = url.netloc.partition("@")[2]
    made = {}
    with psycopg.connect(url._replace(path="/postgres").geturl(), autocommit=True) as connection:
        for name in _DATABASES:
            database = f"dbos_{name or 'system'}"
            connection.execute(f"CREATE DATABASE {database}".encode())
            variable = f"DBOS_{name.upper()}_DATABASE_URL" if name else "DBOS_DATABASE_URL"
            # SQLAlchemy takes the folder of a socket as a query only.
            made[variable] = f"postgresql://{url.username}@/{database}?host={folder}"
    return made
