import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser
from django.db import Error as DatabaseError

from sagas.audit import runs
from sagas.audit.report import as_object, table
from sagas.audit.runs import Scope
from sagas.audit.windows import BadWindow, window_of
from sagas.models import DATABASE, AuditRun, Finding
from sagas.participant.among import clock

DIFFERENCES, NOT_LOOKED_AT = 1, 2


class Command(BaseCommand):
    help = (
        "Page through the payment provider's charges of a window of time, and compare them with "
        "our payments. Exit status: 0 they agree, 1 a difference is open, 2 a part could not be "
        "looked at, or there is no such window."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--since",
            default="",
            metavar="ISO",
            help="charges made from then on, in UTC unless a zone is named; by default from where "
            "the last reconciliation came to, and the last 48 hours at the least",
        )
        parser.add_argument("--until", default="", metavar="ISO", help="and before; now by default")
        parser.add_argument("--json", action="store_true", help="for monitors")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            window = window_of(options["since"], options["until"], now=clock(DATABASE))
            run = runs.run(Scope.LEDGER, window=window)
            found = list(runs.differences())
        except BadWindow as no:
            raise CommandError(str(no), returncode=NOT_LOOKED_AT) from no
        except DatabaseError as error:
            words = f"the control plane does not answer: {type(error).__name__}"
            raise CommandError(words, returncode=NOT_LOOKED_AT) from error
        self.stdout.write(as_json(run, found) if options["json"] else as_text(run, found))
        if status := _status(run, found):
            sys.exit(status)


def as_json(run: AuditRun, found: Sequence[Finding]) -> str:
    """Return the report for monitors; its shape is a contract (docs/audit.md)."""
    report = {
        "ok": _status(run, found) == 0,
        "window": {name: _moment(getattr(run, name)) for name in ("since", "until", "reached")},
        "looked_at": {"charges": run.charges, "payments": run.payments},
        "seconds": run.seconds,
        "not_looked_at": run.not_looked_at,
        "findings": [as_object(each) for each in found],
    }
    return json.dumps(report, indent=2)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def as_text(run: AuditRun, found: Sequence[Finding]) -> str:
    """Return the report for people."""
    differences = (
        "1 difference is open" if len(found) == 1 else f"{len(found)} differences are open"
    )
    return "\n".join(
        [
            *table(found),
            f"from {run.since:%Y-%m-%d %H:%M} to {run.until:%Y-%m-%d %H:%M} UTC, "
            f"{run.charges:,} charges were read and {run.payments:,} payments compared in "
            f"{run.seconds:.1f} s: {differences}",
            *_gaps(run),
        ]
    )


def _gaps(run: AuditRun) -> Iterator[str]:
    if run.not_looked_at and run.reached == run.until:
        yield f"NOT LOOKED AT: {', '.join(run.not_looked_at)}, what differed before"
    elif run.not_looked_at:
        yield (
            f"NOT LOOKED AT: {', '.join(run.not_looked_at)}, charges from "
            f"{run.reached:%Y-%m-%d %H:%M} to {run.until:%Y-%m-%d %H:%M} UTC"
        )


def _status(run: AuditRun, found: Sequence[Finding]) -> int:
    if found:
        return DIFFERENCES
    return NOT_LOOKED_AT if run.not_looked_at else 0
