"""Runs another shop's checkout beside ours, as a program that answers lines on its input."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg

from tooling.local.instance import REPOSITORY

_GRACE = 60.0
#: The control plane's database, and one for each domain.
_DATABASES = ("", "orders", "inventory", "payments", "notifications")


@dataclass(frozen=True)
class Contender:
    """A running one: its name, and its first process."""

    name: str
    process: "subprocess.Popen[str]"

    @property
    def pid(self) -> int:
        """Return its first process."""
        return self.process.pid

    def place(self, checkouts: int) -> None:
        """Take so many checkouts in; only where taking in is not a part of ``run``."""
        self._ask(f"place {checkouts}")

    def run(self, checkouts: int) -> float:
        """Complete so many checkouts and return the seconds that it took."""
        seconds: float = json.loads(self._ask(f"run {checkouts}"))["seconds"]
        return seconds

    def each(self, checkouts: int) -> Sequence[float]:
        """Complete so many, one after the other, and return the seconds that each took."""
        seconds: list[float] = json.loads(self._ask(f"each {checkouts}"))["each"]
        return seconds

    def wait_ready(self) -> None:
        """Wait until it is warm."""
        while self._line() != "ready":
            pass

    def _ask(self, words: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} has ended; its words are above")
        return line.strip()


@contextmanager
def running(
    name: str, command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[Contender]:
    """Keep a contender running until the block ends."""
    with subprocess.Popen(
        command,
        env=dict(environment),
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        try:
            contender = Contender(name, process)
            contender.wait_ready()
            yield contender
        finally:
            process.stdin.close()  # at the end of its input it ends what it has started
            process.wait(_GRACE)


def make_databases(prefix: str, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Make a contender's five databases beside ours.

    Args:
        prefix: of their names.
        environment: of our own shop.

    Returns:
        ``<PREFIX>_DATABASE_URL``, ``<PREFIX>_ORDERS_DATABASE_URL`` and so on, for its environment.
    """
    url = urlsplit(environment["DATABASE_URL"])
    folder = url.netloc.partition("@")[2]
    made = {}
    with psycopg.connect(url._replace(path="/postgres").geturl(), autocommit=True) as connection:
        for name in _DATABASES:
            database = f"{prefix}_{name or 'system'}"
            connection.execute(f"CREATE DATABASE {database}".encode())
            words = [prefix.upper(), name.upper(), "DATABASE_URL"]
            # SQLAlchemy takes the folder of a socket as a query only.
            made["_".join(filter(None, words))] = (
                f"postgresql://{url.username}@/{database}?host={folder}"
            )
    return made


def mail_address(environment: Mapping[str, str]) -> str:
    """Return ``host:port`` of the mail server."""
    mail = urlsplit(environment["EMAIL_URL"])
    return f"{mail.hostname}:{mail.port}"
