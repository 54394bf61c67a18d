"""Checkouts that are broken on purpose, and what the audit says of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connections, transaction

from sagas import journal
from sagas.audit import findings, runs
from sagas.audit.runs import Scope
from sagas.auditor import Mend
from sagas.console.actions import VERBS, offer_of
from sagas.console.preview import verdict_of
from sagas.models import AuditRun, Finding

#: (invariant, saga, minor units at stake, mend)
Told = tuple[str, UUID | None, int, str]


def audit(scope: Scope = Scope.EVERYTHING, saga_id: UUID | None = None) -> AuditRun:
    """Run the audit."""
    return runs.run(scope, saga_id=saga_id)


def told(scope: Scope = Scope.EVERYTHING) -> list[Told]:
    """Run the audit, and return what is open afterwards; each mend that is a verb is offered."""
    audit(scope)
    found = list(findings.open_findings())
    for finding in found:
        assert_is_offered(finding)
    return sorted(
        ((each.invariant, each.saga_id, each.amount, each.mend) for each in found), key=str
    )


def assert_is_offered(finding: Finding) -> None:
    """The console lets staff press what the finding names."""
    if not Mend(finding.mend).is_verb:
        return
    assert finding.saga_id is not None
    saga = journal.read(finding.saga_id)
    offer = offer_of(VERBS[finding.mend], saga, verdict_of(saga), User(is_superuser=True))
    assert not offer.why_not, f"{finding}: {offer.why_not}"
    assert finding.url.endswith(f"{finding.saga_id}/do/{finding.mend}/")


@dataclass
class Vandal:
    """Writes what the code never would, and what the databases refuse, into their tables."""

    _mended_by: list[tuple[str, str]] = field(default_factory=list)

    def write(self, database: str, statement: str, *values: Any) -> None:
        """Execute a statement on one row or more, past triggers and foreign keys."""
        with transaction.atomic(using=database), connections[database].cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(statement, values)
            assert cursor.rowcount, f"it changed nothing: {statement}"

    def drop(self, database: str, table: str, *names: str) -> None:
        """Take constraints, or unique indexes, away until the test ends."""
        with connections[database].cursor() as cursor:
            for name in names:
                cursor.execute(
                    "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name]
                )
                if row := cursor.fetchone():
                    cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
                    mend = f"ALTER TABLE {table} ADD CONSTRAINT {name} {row[0]}"
                else:
                    cursor.execute("SELECT pg_get_indexdef(%s::regclass)", [name])
                    mend = cursor.fetchone()[0]
                    cursor.execute(f"DROP INDEX {name}")
                self._mended_by.append((database, f"TRUNCATE {table} CASCADE; {mend}"))

    def refuse_updates(self, database: str, table: str) -> None:
        """Let every change of a table fail until the test ends."""
        with connections[database].cursor() as cursor:
            cursor.execute(
                "CREATE FUNCTION vandal() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'vandalised'; END $$"
            )
            cursor.execute(
                f"CREATE TRIGGER vandal BEFORE UPDATE ON {table}"
                " FOR EACH ROW EXECUTE FUNCTION vandal()"
            )
        self._mended_by.append((database, "DROP FUNCTION vandal() CASCADE"))

    def hide(self, database: str, table: str) -> None:
        """Let every statement on a table fail until the test ends."""
        with connections[database].cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} RENAME TO hidden")
        self._mended_by.append((database, f"ALTER TABLE hidden RENAME TO {table}"))

    def leave(self) -> None:
        """Put everything back; the rows of the broken tables go."""
        for database, mend in reversed(self._mended_by):
            with connections[database].cursor() as cursor:
                cursor.execute(mend)


@contextmanager
def vandalism() -> Iterator[Vandal]:
    """Let a vandal in, and mend the databases afterwards."""
    vandal = Vandal()
    try:
        yield vandal
    finally:
        vandal.leave()
