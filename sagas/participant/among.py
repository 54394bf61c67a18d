"""Rows of many sagas at once, for a reader that may never hold a whole table in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models import Expression, F, Q, QuerySet, TextField
from django.db.models.functions import Cast

#: A saga's id as text: in a dictionary of a million, a UUID costs ten times as much.
SagaKey = str
#: The same in a query.
SAGA_KEY = Cast("saga_id", TextField())

NIL, LAST = UUID(int=0), UUID(int=2**128 - 1)
#: Sagas of one page.
PAGE = 5_000
#: Rows that one page may bring from one table; beyond that its range of ids is halved.
_MOST_ROWS = 4 * PAGE


class Crowded(Exception):
    """A range of ids holds too many rows to be read at once."""


@dataclass(frozen=True)
class Among:
    """Whose rows are read: of all sagas with an id above ``after``, up to ``upto``, or of ``ids``.

    Saga ids are UUIDv7, so that a range of ids is a span of time, and its rows lie together.
    """

    after: UUID = NIL
    upto: UUID = LAST
    ids: tuple[UUID, ...] | None = None

    def rows(self, rows: QuerySet[Any, Any], *, saga: str = "saga_id") -> list[Any]:
        """Return those of ``rows`` whose field ``saga`` is among these sagas, as plain tuples.

        Raises:
            Crowded: the range holds more rows than are read at once.
        """
        if self.ids is not None:
            return _fetched(self.narrow(rows, saga=saga)) if self.ids else []
        found = _fetched(self.narrow(rows, saga=saga)[: _MOST_ROWS + 1])
        if len(found) > _MOST_ROWS:
            raise Crowded
        return found

    def lone(self, rows: QuerySet[Any, Any], *, beside: QuerySet[Any, Any]) -> list[SagaKey]:
        """Return those of these sagas that have one of ``rows``, and none of ``beside``.

        By EXCEPT, since PostgreSQL takes any range of UUIDs for one row: it would join thousands
        with thousands, one by one.

        Raises:
            Crowded: they are more than are read at once.
        """
        if self.ids == ():
            return []
        have, lack = (self.narrow(each).order_by().values_list(SAGA_KEY) for each in (rows, beside))
        found = _fetched(have.difference(lack)[: _MOST_ROWS + 1])
        if len(found) > _MOST_ROWS:
            raise Crowded
        return [saga_id for (saga_id,) in found]

    def narrow(self, rows: QuerySet[Any, Any], *, saga: str = "saga_id") -> QuerySet[Any, Any]:
        """Return those of ``rows`` whose field ``saga`` is among these sagas."""
        if self.ids is not None:
            return rows.filter(**{f"{saga}__in": self.ids})
        return rows.filter(**{f"{saga}__gt": self.after, f"{saga}__lte": self.upto})

    def halves(self) -> tuple["Among", "Among"]:
        """Return the two halves of a range; together they are the whole."""
        middle = UUID(int=(self.after.int + self.upto.int) // 2)
        return Among(self.after, middle), Among(middle, self.upto)


def _fetched(rows: QuerySet[Any, Any]) -> list[Any]:
    """Return rows as the driver has them: no model, no converter, no chunks."""
    statement, values = rows.query.sql_with_params()
    with connections[rows.db].cursor() as cursor:
        cursor.execute(statement, values)
        found: list[Any] = cursor.fetchall()
    return found


def touched(
    rows: QuerySet[Any], *, when: Expression | F, since: datetime, before: datetime
) -> Iterator[Sequence[UUID]]:
    """Yield the sagas of the rows that were written in a span of time, page by page.

    Args:
        rows: of a model with a ``saga_id``.
        when: when a row was written last; the expression of an index.
        since, before: the span, on the clock of the rows' database.
    """
    later = Q(touched_at__gte=since)
    within = rows.annotate(touched_at=when).filter(touched_at__lt=before)
    in_order = within.order_by("touched_at", "pk").values_list("touched_at", "pk", "saga_id")
    while True:
        page = list(in_order.filter(later)[:PAGE])
        if page:
            yield [saga_id for _, _, saga_id in page]
        if len(page) < PAGE:
            return
        at, pk, _ = page[-1]
        later = Q(touched_at__gte=at) & (Q(touched_at__gt=at) | Q(pk__gt=pk))


def clock(using: str) -> datetime:
    """Return the time of a database."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
