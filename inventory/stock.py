"""Moves units of one product, and tells when it runs low, sells out or comes back.

The shelf moves by one conditional UPDATE, which says how many units are free afterwards: the
row stays locked until the transaction ends, so that each crossing is seen by one mover only.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django.db import connections

from inventory.models import DATABASE
from sagas.events.facts import Fact

#: RETURNING, which the ORM has for no UPDATE, saves a second look at the hot row.
_MOVE = """
UPDATE inventory_stock SET on_hand = on_hand + %(on_hand)s, reserved = reserved + %(reserved)s
WHERE sku = %(sku)s AND on_hand + %(on_hand)s - reserved - %(reserved)s >= 0
RETURNING on_hand - reserved, low_at
"""


class Level(NamedTuple):
    """How many units of a product were free before a move and are free after it."""

    sku: str
    before: int
    after: int
    low_at: int


def move(sku: str, *, on_hand: int = 0, reserved: int = 0) -> Level | None:
    """Change a product's units by these differences, unless fewer than none would be free.

    Returns:
        What is free before and after; None if there is no such product or too little of it.
    """
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_MOVE, {"sku": sku, "on_hand": on_hand, "reserved": reserved})
        moved = cursor.fetchone()
    if moved is None:
        return None
    after, low_at = moved
    return Level(sku, after - on_hand + reserved, after, low_at)


def give(sku: str, units: int) -> Level:
    """Set ``units`` that were reserved free again.

    Raises:
        LookupError: there is no such product.
    """
    level = move(sku, reserved=-units)
    if level is None:
        raise LookupError(f"there is no stock of {sku} to give back to")
    return level


def crossings(levels: Sequence[Level]) -> Iterator[Fact]:
    """Yield what the moves are to be told for: once a crossing, however far they went."""
    for level in levels:
        payload: dict[str, str | int] = {"sku": level.sku, "available": level.after}
        if level.after <= level.low_at < level.before:
            yield _fact("stock_low", level.sku, {**payload, "low_at": level.low_at})
        if level.before <= 0 < level.after:
            yield _fact("back_in_stock", level.sku, payload)


def _fact(event_type: str, sku: str, payload: dict[str, str | int]) -> Fact:
    # A SKU has at most 64 characters, so that the aggregate's name fits.
    return Fact(type=event_type, aggregate=f"product:{sku}", payload=payload)
