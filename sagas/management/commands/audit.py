import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.core.management import BaseCommand
from django.core.management.base import CommandParser
from django.db import Error as DatabaseError

from sagas.audit import findings, runs
from sagas.audit.runs import Scope
from sagas.audit.scopes import SAGAS
from sagas.auditor import Severity
from sagas.models import AuditRun, Finding
from sagas.participant.money import written

VIOLATIONS, NOT_LOOKED_AT = 1, 2
_HEAD = ("severity", "saga", "at stake", "invariant", "what", "mend", "where")


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
        "findings": [
            {
                "saga_id": str(each.saga_id) if each.saga_id else None,
                "invariant": each.invariant,
                "severity": each.severity,
                "what": each.what,
                "amount": each.amount,
                "currency": each.currency,
                "mend": each.mend,
                "url": each.url,
            }
            for each in found
        ],
    }
    return json.dumps(report, indent=2)


def as_text(run: AuditRun, found: Sequence[Finding]) -> str:
    """Return the report for people."""
    violations = [each for each in found if each.severity == Severity.VIOLATION]
    return "\n".join(
        [
            *_table(found),
            f"{run.sagas:,} sagas and {run.charges:,} charges looked at in {run.seconds:.1f} s: "
            f"{len(violations)} violations, {len(found) - len(violations)} wait for a person",
            *(f"NOT LOOKED AT: {source}" for source in run.not_looked_at),
        ]
    )


def _table(found: Sequence[Finding]) -> Iterator[str]:
    if not found:
        return
    lines = [_HEAD, *(_cells(each) for each in found)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(_HEAD))]
    for line in lines:
        yield "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()
    yield ""


def _cells(finding: Finding) -> tuple[str, ...]:
    return (
        finding.severity,
        str(finding.saga_id or "-"),
        written(finding.amount, finding.currency) if finding.currency else "-",
        finding.invariant,
        finding.what,
        finding.mend,
        finding.url,
    )


def _status(run: AuditRun, found: Sequence[Finding]) -> int:
    if any(each.severity == Severity.VIOLATION for each in found):
        return VIOLATIONS
    return NOT_LOOKED_AT if run.not_looked_at else 0
