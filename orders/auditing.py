"""What the audit reads of orders: many at once, without personal data."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.contrib.postgres.aggregates import StringAgg
from django.db.models import OuterRef, Subquery, Sum, TextField, Value
from django.db.models.functions import Cast, Collate, Concat

from orders.models import DATABASE, TOUCHED_AT, Order, OrderLine, Receipt
from sagas.participant.among import SAGA_KEY, Among, SagaKey, touched

_LINE = Concat("sku", Value("*"), Cast("quantity", TextField()), output_field=TextField())


class AuditedOrder(NamedTuple):
    """An order; amounts in minor units, ``goods`` such as ``BOWL*1 MUG*2``."""

    saga_id: SagaKey
    status: str
    total: int
    currency: str
    lines_total: int
    goods: str


def audited_orders(*, among: Among) -> list[AuditedOrder]:
    """Return the orders of these sagas; Crowded if they are too many for one range."""
    # By an index for each order: a join would read all lines of all orders for every page.
    of_one = OrderLine.objects.using(DATABASE).filter(order=OuterRef("pk")).order_by()
    goods = StringAgg(_LINE, " ", order_by=Collate("sku", "C"))
    as_text = Concat(
        Cast(Sum("line_total"), TextField()), Value(" "), goods, output_field=TextField()
    )
    lines = Subquery(of_one.values("order").annotate(lines=as_text).values("lines"))
    rows = Order.objects.using(DATABASE).order_by().annotate(lines_=lines)
    read = rows.values_list(SAGA_KEY, "status", "total", "currency", "lines_")
    return [_order(*row) for row in among.rows(read)]


def _order(
    saga_id: SagaKey, status: str, total: int, currency: str, lines: str | None
) -> AuditedOrder:
    lines_total, _, goods = (lines or "0").partition(" ")
    return AuditedOrder(saga_id, status, total, currency, int(lines_total), goods)


def lone_receipts(*, among: Among) -> list[SagaKey]:
    """Return those of these sagas that have receipts here and no order."""
    beside = Order.objects.using(DATABASE)
    return among.lone(Receipt.objects.using(DATABASE), beside=beside)


def touched_orders(*, since: datetime, before: datetime) -> Iterator[Sequence[UUID]]:
    """Yield the sagas whose orders were written in that span of this database's time."""
    orders = Order.objects.using(DATABASE)
    return touched(orders, when=TOUCHED_AT, since=since, before=before)
