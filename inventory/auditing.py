"""What the audit reads of the inventory: what sagas hold, and whether the shelf agrees."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.contrib.postgres.aggregates import StringAgg
from django.db.models import F, OuterRef, Q, Subquery, Sum, TextField, Value
from django.db.models.functions import Cast, Coalesce, Collate, Concat

from inventory.models import (
    DATABASE,
    TOUCHED_AT,
    Receipt,
    Reservation,
    ReservationLine,
    Status,
    Stock,
)
from sagas.participant import crash
from sagas.participant.among import SAGA_KEY, Among, SagaKey, touched
from sagas.participant.patience import patiently

_LINE = Concat("product_id", Value("*"), Cast("quantity", TextField()), output_field=TextField())


class AuditedReservation(NamedTuple):
    """What one saga holds, or held; ``goods`` such as ``BOWL*1 MUG*2``."""

    saga_id: SagaKey
    status: str
    goods: str | None


class Miscount(NamedTuple):
    """A product whose stock does not agree with the held reservations; price in minor units."""

    sku: str
    on_hand: int
    reserved: int
    held: int
    price: int
    currency: str


def audited_reservations(*, among: Among) -> list[AuditedReservation]:
    """Return the reservations of these sagas; Crowded if they are too many for one range."""
    # By an index for each reservation: a join would read all lines for every page.
    of_one = ReservationLine.objects.using(DATABASE).filter(reservation=OuterRef("pk")).order_by()
    as_text = StringAgg(_LINE, " ", order_by=Collate("product_id", "C"))
    goods = Subquery(of_one.values("reservation").annotate(goods=as_text).values("goods"))
    rows = Reservation.objects.using(DATABASE).order_by().annotate(goods=goods)
    read = rows.values_list(SAGA_KEY, "status", "goods")
    return [AuditedReservation(*row) for row in among.rows(read)]


def lone_receipts(*, among: Among) -> list[SagaKey]:
    """Return those of these sagas that have receipts here and no reservation."""
    beside = Reservation.objects.using(DATABASE)
    return among.lone(Receipt.objects.using(DATABASE), beside=beside)


def miscounts() -> list[Miscount]:
    """Return the products whose stock is out of bounds, or not the sum of what is held.

    One statement, so that stock and reservations are of one moment, whoever buys meanwhile.
    """
    lines = "product__reservation_lines"
    held = Sum(f"{lines}__quantity", filter=Q(**{f"{lines}__reservation__status": Status.HELD}))
    stock = (
        Stock.objects.using(DATABASE)
        .order_by()
        .annotate(held=Coalesce(held, 0))
        .filter(~Q(reserved=F("held")) | Q(reserved__lt=0) | Q(reserved__gt=F("on_hand")))
    )
    read = stock.values_list(
        "pk", "on_hand", "reserved", "held", "product__price", "product__currency"
    )
    with crash.committing("inventory.count_stock", using=DATABASE):
        patiently(DATABASE)
        return [Miscount(*row) for row in read]


def touched_reservations(*, since: datetime, before: datetime) -> Iterator[Sequence[UUID]]:
    """Yield the sagas whose reservations were written in that span of this database's time."""
    reservations = Reservation.objects.using(DATABASE)
    return touched(reservations, when=TOUCHED_AT, since=since, before=before)
