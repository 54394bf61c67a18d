"""Reads the five databases in plain SQL, past the proxies and past our own code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from tooling.local.instance import DATABASES
from tooling.soak.plan import DATABASE_LINKS

_CONNECT_SECONDS = 3
#: The queue on which a saga in this state is worked on.
_QUEUES = {
    "PENDING": "orders",
    "ORDER_CREATED": "inventory",
    "INVENTORY_RESERVED": "payments",
    "PAYMENT_CHARGED": "orders",
    "ORDER_CONFIRMED": "notifications",
    "COMPENSATING": "compensation",
    "COMPENSATED": "notifications",
}
#: Something is still to be done, and it is not a person who has to do it.
_MOVING = "parked = '' AND coalesce(next_attempt_at, lease_until) IS NOT NULL"

Row = dict[str, Any]


class Unreadable(Exception):
    """A database does not answer just now."""


@dataclass(frozen=True)
class Books:
    """The databases of one running system; ``environment`` has their URLs."""

    environment: Mapping[str, str]

    def rows(self, database: str, query: LiteralString, *parameters: object) -> Sequence[Row]:
        """Return what a query finds in the database of an alias; Unreadable if it is away."""
        variable = list(DATABASES)[DATABASE_LINKS.index(database)]
        try:
            with psycopg.connect(
                self.environment[variable],
                connect_timeout=_CONNECT_SECONDS,
                autocommit=True,
                row_factory=dict_row,
            ) as connection:
                return connection.execute(query, parameters).fetchall()
        except psycopg.OperationalError as error:
            raise Unreadable(f"{database}: {error}") from error

    def under_way(self) -> int | None:
        """Return how many sagas move; None while the control plane does not answer."""
        query: LiteralString = "SELECT count(*) AS n FROM sagas_saga WHERE " + _MOVING
        try:
            return int(self.rows("default", query)[0]["n"])
        except Unreadable:
            return None

    def claimed(self, queues: Sequence[str]) -> Mapping[UUID, int]:
        """Return the sagas, with their epochs, that a worker of these queues is on."""
        query: LiteralString = (
            "SELECT id, epoch, state FROM sagas_saga WHERE claimed_at IS NOT NULL"
        )
        rows = self.rows("default", query)
        return {row["id"]: row["epoch"] for row in rows if _QUEUES.get(row["state"]) in queues}

    def waiting(self, *, longer_than: float) -> Sequence[UUID]:
        """Return what waits for a person, or backs off for more than so many seconds more.

        A person, too, has to send an apology that was given up.
        """
        rows = self.rows(
            "default",
            "SELECT id FROM sagas_saga s WHERE parked <> '' OR state = 'FAILED' "
            "OR (claimed_at IS NULL AND next_attempt_at > now() + make_interval(secs => %s)) "
            "OR (state = 'COMPENSATED' AND next_attempt_at IS NULL AND lease_until IS NULL "
            "AND NOT EXISTS (SELECT FROM sagas_steprun r WHERE r.saga_id = s.id "
            "AND r.direction = 'follow_up' AND r.outcome = 'succeeded'))",
            longer_than,
        )
        return [row["id"] for row in rows]

    def complete_among(self, keys: Sequence[str]) -> Sequence[UUID]:
        """Return the complete sagas of these idempotency keys."""
        rows = self.rows(
            "default",
            "SELECT id FROM sagas_saga WHERE state = 'COMPLETE' AND idempotency_key = ANY(%s)",
            list(keys),
        )
        return [row["id"] for row in rows]
