"""Fills the five databases with made-up checkouts, by COPY, a batch at a time."""

import math
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from django.db import connections, transaction
from django.db.models import F

from inventory.models import Product, Stock
from sagas.checkout.seeding.fates import Fate, draw
from sagas.checkout.seeding.rows import CURRENCY, PRICES, SKUS, TABLES, Batch, Maker

_BATCH = 5_000
_SHELF = 100_000_000
#: The hour of the day at which most is bought; the fewest buy twelve hours later.
_BUSIEST_HOUR = 19


def fill(*, count: int, days: int, seed: int, tell: Callable[[int], None], now: datetime) -> None:
    """Make ``count`` checkouts over the ``days`` before ``now``.

    Args:
        count: how many, 1 or more.
        days: over how many days they are spread; those that still move are of the last hour.
        seed: the same one makes the same checkouts.
        tell: is told after each batch how many are made.
        now: when the newest was placed.
    """
    chance = random.Random(seed)  # noqa: S311  (made-up data)
    _fill_the_shelf()
    maker, made = Maker(chance, now=now), 0
    moments = _moments(count, days, chance, now)
    fates = draw(count, chance)
    while chunk := list(islice(zip(fates, moments, strict=False), _BATCH)):
        batch = Batch()
        for fate, moment in chunk:
            maker.add(fate, _began(fate, moment, chance, now), batch)
        _copy(batch)
        made += len(chunk)
        tell(made)


def _began(fate: Fate, moment: datetime, chance: random.Random, now: datetime) -> datetime:
    if fate.is_settled:
        return moment
    if fate.waits == "parked" or fate.state == "FAILED":
        return now - timedelta(seconds=chance.uniform(30, 3600))
    # Within its deadline, or the next dispatch would turn every one of them back.
    return now - timedelta(seconds=chance.uniform(30, 200))


def _moments(count: int, days: int, chance: random.Random, now: datetime) -> Iterator[datetime]:
    """Yield moments, the oldest first, with a day and a night."""
    step = timedelta(days=days) / max(1, count)
    at = now - timedelta(days=days)
    for _ in range(count):
        at += step
        hour = at.astimezone(UTC).hour + at.minute / 60
        swing = math.sin((hour - _BUSIEST_HOUR + 6) / 24 * 2 * math.pi)
        yield min(at + timedelta(hours=chance.uniform(0, 3) * swing), now)


def _fill_the_shelf() -> None:
    Product.objects.using("inventory").bulk_create(
        (
            Product(sku=sku, name=sku.title(), price=PRICES[sku], currency=CURRENCY, active=False)
            for sku in SKUS
        ),
        ignore_conflicts=True,
    )
    Stock.objects.using("inventory").bulk_create(
        (Stock(product_id=sku, on_hand=_SHELF) for sku in SKUS), ignore_conflicts=True
    )


def _copy(batch: Batch) -> None:
    """Write a batch, one transaction a database; the sagas come last, as in a real checkout."""
    for database in ("orders", "inventory", "payments", "notifications", "default"):
        with transaction.atomic(using=database):
            for (alias, table), columns in TABLES.items():
                if alias == database and (rows := batch.rows[alias, table]):
                    _write(alias, table, columns, rows)
            if database == "inventory":
                for sku, units in batch.held.items():
                    stock = Stock.objects.using("inventory").filter(pk=sku)
                    stock.update(reserved=F("reserved") + units)


def _write(alias: str, table: str, columns: str, rows: list[tuple[object, ...]]) -> None:
    with (
        connections[alias].cursor() as cursor,
        cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)
