import json
import sys
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.core.management import BaseCommand
from django.core.management.base import CommandParser
from django.db import Error as DatabaseError

from sagas.audit import findings, runs
from sagas.audit.report import as_object, table
from sagas.audit.runs import Scope
from sagas.audit.scopes import SAGAS
from sagas.auditor import Severity
from sagas.models import AuditRun, Finding

VIOLATIONS, NOT_LOOKED_AT = 1, 2


class Command(BaseCommand):
    help = (
        "Check what sagas claim against the domains and the provider's ledger. Exit status: "
        "0 nothing is wrong, 1 violations, 2 a source could not be looked at."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument(
            "--all",
            action="store_true",
            help="everything, not only what changed since the last run",
        )
        which.add_argument("--saga", type=UUID, metavar="ID", help="one saga alone")
        parser.add_argument("--json", action="store_true", help="for monitors")

    def handle(self, *_: Any, **options: Any) -> None:
        saga_id: UUID | None = options["saga"]
        scope = Scope.ONE if saga_id else Scope.EVERYTHING if options["all"] else Scope.CHANGED
        try:
            run = runs.run(scope, saga_id=saga_id)
            rows = findings.of_saga(saga_id) if saga_id else findings.open_findings()
            found = list(rows)
        except DatabaseError as error:
            # Without the control plane there is nothing to compare, and nowhere to write it down.
            self.stderr.write(f"the control plane does not answer: {type(error).__name__}")
            run, found = AuditRun(scope=scope, not_looked_at=[SAGAS]), []
        self.stdout.write(as_json(run, found) if options["json"] else as_text(run, found))
        if status := _status(run, found):
            sys.exit(status)


def as_json(run: AuditRun, found: Sequence[Finding]) -> str:
    """Return the report for monitors; its shape is a contract (docs/audit.md)."""
    report = {
        "ok": _status(run, found) == 0,
        "looked_at": {"sagas": run.sagas, "charges": run.charges},
        "seconds": run.seconds,
        "not_looked_at": run.not_looked_at,
        "findings": [as_object(each) for each in found],
    }
    return json.dumps(report, indent=2)


def as_text(run: AuditRun, found: Sequence[Finding]) -> str:
    """Return the report for people."""
    violations = [each for each in found if each.severity == Severity.VIOLATION]
    return "\n".join(
        [
            *table(found),
            f"{run.sagas:,} sagas and {run.charges:,} charges looked at in {run.seconds:.1f} s: "
            f"{len(violations)} violations, {len(found) - len(violations)} wait for a person",
            *(f"NOT LOOKED AT: {source}" for source in run.not_looked_at),
        ]
    )


def _status(run: AuditRun, found: Sequence[Finding]) -> int:
    if any(each.severity == Severity.VIOLATION for each in found):
        return VIOLATIONS
    return NOT_LOOKED_AT if run.not_looked_at else 0
