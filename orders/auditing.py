"""What the audit reads of orders: many at once, without personal data."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.contrib.postgres.aggregates import StringAgg
from django.db.models import CharField, Exists, OuterRef, Sum, Value
from django.db.models.functions import Cast, Collate, Concat

from orders.models import DATABASE, TOUCHED_AT, Order, Receipt
from sagas.participant.among import SAGA_KEY, Among, SagaKey, touched

_LINE = Concat(
    "lines__sku", Value("*"), Cast("lines__quantity", CharField()), output_field=CharField()
)


class AuditedOrder(NamedTuple):
    """An order; amounts in minor units, ``goods`` such as ``BOWL*1 MUG*2``."""

    saga_id: SagaKey
    status: str
    total: int
    currency: str
    lines_total: int | None
    goods: str | None


def audited_orders(*, among: Among) -> list[AuditedOrder]:
    """Return the orders of these sagas; Crowded if they are too many for one range."""
    rows = Order.objects.using(DATABASE).order_by()
    summed = rows.annotate(
        lines_total=Sum("lines__line_total"),
        goods=StringAgg(_LINE, " ", order_by=Collate("lines__sku", "C")),
    )
    read = summed.values_list(SAGA_KEY, "status", "total", "currency", "lines_total", "goods")
    return [AuditedOrder(*row) for row in among.rows(read)]


def lone_receipts(*, among: Among) -> list[SagaKey]:
    """Return those of these sagas that have receipts here and no order."""
    order = Order.objects.using(DATABASE).filter(saga_id=OuterRef("saga_id"))
    receipts = Receipt.objects.using(DATABASE).filter(~Exists(order))
    return [saga_id for (saga_id,) in among.rows(receipts.values_list(SAGA_KEY))]


def touched_orders(*, since: datetime, before: datetime) -> Iterator[Sequence[UUID]]:
    """Yield the sagas whose orders were written in that span of this database's time."""
    orders = Order.objects.using(DATABASE)
    return touched(orders, when=TOUCHED_AT, since=since, before=before)
