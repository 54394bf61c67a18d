"""Databases of made-up checkouts for one benchmark."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
VARIABLES = ("", "ORDERS_", "INVENTORY_", "PAYMENTS_", "NOTIFICATIONS_")


@contextmanager
def filled_databases(size: int) -> Iterator[dict[str, str]]:
    """Make five databases beside those of the environment, fill them, and drop them afterwards.

    Yields:
        The environment that names them.
    """
    with _databases(size) as environment:
        manage = [sys.executable, str(ROOT / "manage.py")]
        subprocess.run([*manage, "migrate_all", "--verbosity", "0"], env=environment, check=True)
        begun = time.monotonic()
        command = [*manage, "seed_sagas", "--count", str(size)]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        print(f"{size:,} sagas in {time.monotonic() - begun:.0f} s", file=sys.stderr)
        _settle(environment)
        yield environment


def _settle(environment: Mapping[str, str]) -> None:
    """Do what autovacuum has done by the time that a shop has so many; else it begins just now."""
    import psycopg

    for prefix in VARIABLES:
        _execute(psycopg, environment[f"{prefix}DATABASE_URL"], "VACUUM (ANALYZE)")


@contextmanager
def _databases(size: int) -> Iterator[dict[str, str]]:
    """Make five databases, and drop them afterwards."""
    import psycopg

    environment = {**os.environ, "MAKEGOOD_ENV": "test", "ALLOWED_HOSTS": "testserver"}
    with ExitStack() as stack:
        for prefix in VARIABLES:
            variable = f"{prefix}DATABASE_URL"
            url = urlsplit(os.environ[variable])
            name = f"bench_{prefix.lower() or 'default_'}{size}"
            server = url._replace(path="/postgres").geturl()
            _execute(psycopg, server, f"DROP DATABASE IF EXISTS {name}")
            _execute(psycopg, server, f"CREATE DATABASE {name}")
            stack.callback(_execute, psycopg, server, f"DROP DATABASE {name} WITH (FORCE)")
            environment[variable] = url._replace(path=f"/{name}").geturl()
        yield environment


def _execute(psycopg: object, server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:  # type: ignore[attr-defined]
        connection.execute(statement)
