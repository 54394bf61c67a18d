"""The filtered list as CSV: streamed, masked, and safe to open in a spreadsheet."""

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from sagas.console.listing import facts_of
from sagas.models import Saga
from sagas.registry import UnknownDefinition
from sagas.stuck import standing_of

HEADER = (
    "saga",
    "kind",
    "version",
    "order",
    "shopper",
    "state",
    "waits for",
    "undone because",
    "amount",
    "charged",
    "refunded",
    "currency",
    "units held",
    "attempts",
    "started",
    "ended",
)
#: With these a spreadsheet takes a cell for a formula.
#: Source: OWASP, "CSV Injection".
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_CHUNK = 1000


class _Echo:
    """Gives each written line back, so that it can be streamed."""

    def write(self, line: str) -> str:
        return line


def stream(sagas: QuerySet[Saga]) -> StreamingHttpResponse:
    """Return ``sagas`` as CSV, a chunk at a time: the table is never in memory as a whole."""
    writer = csv.writer(_Echo())
    rows = (writer.writerow([safe(cell) for cell in row]) for row in _rows(sagas))
    answer = StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8")
    name = f"sagas-{timezone.now():%Y%m%d-%H%M%S}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def safe(cell: Any) -> Any:
    """Return the cell so that no spreadsheet takes it for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _rows(sagas: QuerySet[Saga]) -> Iterator[Sequence[Any]]:
    yield HEADER
    remaining = sagas.iterator(chunk_size=_CHUNK)
    while chunk := list(islice(remaining, _CHUNK)):
        facts = facts_of(chunk)
        for saga in chunk:
            yield _row(saga, facts.get(saga.pk))


def _row(saga: Saga, facts: Any) -> Sequence[Any]:
    try:
        waits_for = standing_of(saga).words
    except UnknownDefinition:
        waits_for = f"version {saga.version} is not deployed"
    return (
        str(saga.pk),
        saga.kind,
        saga.version,
        facts.order_number if facts else "",
        facts.shopper if facts else "",
        saga.state,
        waits_for,
        saga.reason,
        saga.amount,
        facts.charged if facts else None,
        facts.refunded if facts else None,
        saga.currency,
        facts.units_held if facts else None,
        saga.attempts,
        saga.created_at.isoformat(),
        saga.finished_at.isoformat() if saga.finished_at else "",
    )
