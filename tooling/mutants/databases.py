"""Databases for the runs: migrated once, then copied for each mutant, which takes milliseconds."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tooling.local.instance import DATABASES
from tooling.mutants.patch import DoesNotFit, Lacks

#: alias -> the variable that points at its database.
VARIABLES = {database.removeprefix("makegood_"): name for name, database in DATABASES.items()}

_TEMPLATE = "mutants"
#: Every CHECK, unique key and trigger of a database, as (table, name).
GUARDS: LiteralString = """
    SELECT conrelid::regclass::text, conname FROM pg_constraint
        WHERE contype IN ('c', 'u', 'x') AND connamespace = 'public'::regnamespace
    UNION SELECT indrelid::regclass::text, indexrelid::regclass::text FROM pg_index
        JOIN pg_class ON pg_class.oid = indexrelid
        WHERE indisunique AND NOT indisprimary AND relnamespace = 'public'::regnamespace
    UNION SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal"""


class Databases:
    """The five databases of an embedded server, as ``environment`` names it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def make_templates(self, tree: Path) -> None:
        """Migrate five databases from which the runs' own are copied."""
        for alias in VARIABLES:
            self._recreate(alias, f"{_TEMPLATE}_{alias}", template="template1")
        command = [sys.executable, "manage.py", "migrate_all", "--verbosity", "0"]
        subprocess.run(command, cwd=tree, env=self.pointing_at(_TEMPLATE), check=True)

    def pointing_at(self, prefix: str) -> dict[str, str]:
        """Return the environment with the databases ``<prefix>_<alias>``."""
        urls = {
            variable: self._url(variable, f"{prefix}_{alias}")
            for alias, variable in VARIABLES.items()
        }
        return {**self._environment, **urls}

    @contextmanager
    def copies(self, prefix: str, drops: Sequence[Lacks]) -> Iterator[dict[str, str]]:
        """Yield an environment whose tests find databases that lack what ``drops`` says.

        Raises:
            DoesNotFit: a database has no such constraint, index or trigger.
        """
        names = {alias: f"test_{prefix}_{alias}" for alias in VARIABLES}
        try:
            for alias, name in names.items():
                self._recreate(alias, name, template=f"{_TEMPLATE}_{alias}")
            for lacks in drops:
                self._drop(names[lacks.alias], lacks)
            yield self.pointing_at(prefix)
        finally:
            for alias, name in names.items():
                self._remove(alias, name)

    def guards(self) -> set[tuple[str, str, str]]:
        """Return every CHECK, unique key and trigger as (alias, table, name)."""
        found = set()
        for alias, variable in VARIABLES.items():
            with psycopg.connect(self._url(variable, f"{_TEMPLATE}_{alias}")) as connection:
                found |= {(alias, *row) for row in connection.execute(GUARDS).fetchall()}
        return found

    def remove_templates(self) -> None:
        """Leave nothing behind."""
        for alias in VARIABLES:
            self._remove(alias, f"{_TEMPLATE}_{alias}")

    def _drop(self, database: str, lacks: Lacks) -> None:
        with psycopg.connect(
            self._url(VARIABLES[lacks.alias], database), autocommit=True
        ) as connection:
            for statement in _ways_to_drop(connection, lacks.name):
                connection.execute(statement)
                return
        raise DoesNotFit(f"database {lacks.alias} has no {lacks.name}")

    def _recreate(self, alias: str, name: str, *, template: str) -> None:
        self._remove(alias, name)
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template)
        )
        self._maintain(alias, statement)

    def _remove(self, alias: str, name: str) -> None:
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        self._maintain(alias, statement)

    def _maintain(self, alias: str, statement: sql.Composed) -> None:
        with psycopg.connect(
            self._url(VARIABLES[alias], "postgres"), autocommit=True
        ) as connection:
            connection.execute(statement)

    def _url(self, variable: str, database: str) -> str:
        return urlsplit(self._environment[variable])._replace(path=f"/{database}").geturl()


def _ways_to_drop(
    connection: "psycopg.Connection[tuple[str]]", name: str
) -> Iterator[sql.Composed]:
    """Yield the statement that drops what is called ``name``, whatever it is."""
    kinds = {
        "ALTER TABLE {0} DROP CONSTRAINT {1}": (
            "SELECT conrelid::regclass::text FROM pg_constraint WHERE conname = %s"
        ),
        "DROP INDEX {1}": (
            "SELECT indrelid::regclass::text FROM pg_index JOIN pg_class ON oid = indexrelid"
            " WHERE relname = %s"
        ),
        "DROP TRIGGER {1} ON {0}": (
            "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = %s"
        ),
    }
    for statement, search in kinds.items():
        for (table,) in connection.execute(search, [name]).fetchall():
            yield sql.SQL(statement).format(sql.Identifier(table), sql.Identifier(name))
