"""Findings as the commands print them: for monitors, and for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sagas.models import Finding
from sagas.participant.money import written

_HEAD = ("severity", "saga", "at stake", "invariant", "what", "mend", "where")


def as_object(finding: Finding) -> Mapping[str, Any]:
    """Return a finding for monitors; its shape is a contract (docs/audit.md)."""
    return {
        "saga_id": str(finding.saga_id) if finding.saga_id else None,
        "invariant": finding.invariant,
        "severity": finding.severity,
        "what": finding.what,
        "amount": finding.amount,
        "currency": finding.currency,
        "mend": finding.mend,
        "url": finding.url,
    }


def table(found: Sequence[Finding]) -> Iterator[str]:
    """Yield the lines of a table for people, and an empty one; nothing if nothing was found."""
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
