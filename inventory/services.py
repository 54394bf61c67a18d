"""The only door to the inventory: what things cost, how many there are, who holds them.

Two customers never fight over one unit: stock moves by one conditional UPDATE a SKU, always
in the order of the SKUs, so that carts which share products queue up and never deadlock.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Sum

from inventory.auditing import (
    AuditedReservation,
    Miscount,
    audited_reservations,
    lone_receipts,
    miscounts,
    touched_reservations,
)
from inventory.events import tell_of_level, tell_of_reservation
from inventory.models import (
    DATABASE,
    Product,
    Receipt,
    Reservation,
    ReservationLine,
    Status,
    Stock,
)
from inventory.quoting import (
    CartLine,
    MixedCurrencies,
    Quote,
    QuoteLine,
    Shortage,
    UnknownProducts,
    find_product,
    merge,
    products_for_sale,
    quote,
    shortages,
)
from inventory.stock import give, move
from sagas.participant import crash
from sagas.participant.receipts import do_known_once, undo_once

__all__ = [
    "AuditedReservation",
    "CartLine",
    "Holding",
    "Miscount",
    "MixedCurrencies",
    "OutOfStock",
    "Quote",
    "QuoteLine",
    "Shortage",
    "StockHeld",
    "UnknownProducts",
    "add_product",
    "adjust_stock",
    "audited_reservations",
    "find_product",
    "holdings",
    "lone_receipts",
    "miscounts",
    "products_for_sale",
    "quote",
    "receive_stock",
    "release_stock",
    "reserve_stock",
    "reset_stock",
    "set_low_at",
    "shortages",
    "touched_reservations",
]

#: Under this name the receipts of reserving, and of its undo, are kept.
RESERVE = "reserve_inventory"

Result = Mapping[str, Any]


class Holding(NamedTuple):
    """What one saga holds, or held, of one product."""

    sku: str
    quantity: int
    status: Status


class OutOfStock(Exception):
    """There is not enough of at least one product; nothing was held."""

    code = "out-of-stock"

    def __init__(self, shortages: Sequence[Shortage]) -> None:
        self.shortages = list(shortages)
        short = (f"{s.sku} (wanted {s.wanted}, {s.available} left)" for s in self.shortages)
        super().__init__(f"not enough in stock: {', '.join(short)}")


class StockHeld(Exception):
    """Fewer units would be on hand than are held for orders."""

    code = "stock-held"


# The saga's step and its inverse ----------------------------------------------------------


def reserve_stock(*, saga_id: UUID, order_id: UUID | str, lines: Sequence[CartLine]) -> Result:
    """Hold stock for every line or for none, once a saga; a repeat returns the first result.

    Returns:
        ``{"reservation_id": ...}``

    Raises:
        OutOfStock: at least one product is short; a refusal, and nothing was held.
        AlreadyCompensated: the stock was released before; it is never held again.
    """
    wanted = merge(lines)
    reservation = Reservation(saga_id=saga_id, order_id=order_id)

    def hold() -> None:
        moved = {sku: move(sku, reserved=wanted[sku]) for sku in sorted(wanted)}
        levels = [level for level in moved.values() if level]
        if len(levels) < len(wanted):
            short = [sku for sku, level in moved.items() if level is None]
            raise OutOfStock(_shortages_now(short, wanted))
        _write(reservation, wanted)
        tell_of_reservation("stock_reserved", reservation, wanted, levels)

    return do_known_once(
        Receipt,
        using=DATABASE,
        saga_id=saga_id,
        step=RESERVE,
        result={"reservation_id": str(reservation.pk)},
        effect=hold,
        point="inventory.reserve_stock",
    )


def release_stock(*, saga_id: UUID) -> Result:
    """Give back what ``reserve_stock`` holds; if it never ran, forbid that it ever does.

    Returns:
        ``{"reservation_id": ...}``, or ``{}`` if there was nothing to release.
    """

    def give_back(_: Result) -> Result:
        reservation = Reservation.objects.using(DATABASE).select_for_update().get(saga_id=saga_id)
        lines = reservation.lines.using(DATABASE).order_by("product_id")
        held = {line.product_id: line.quantity for line in lines}
        levels = [give(sku, units) for sku, units in held.items()]
        reservation.release()
        reservation.save(update_fields=["status", "released_at"], using=DATABASE)
        tell_of_reservation("stock_released", reservation, held, levels)
        return {"reservation_id": str(reservation.pk)}

    return undo_once(
        Receipt,
        using=DATABASE,
        saga_id=saga_id,
        step=RESERVE,
        inverse=give_back,
        point="inventory.release_stock",
    )


def holdings(*, saga_id: UUID) -> Sequence[Holding]:
    """Return what the saga holds or held, by SKU; empty if it never held anything."""
    lines = ReservationLine.objects.using(DATABASE).filter(reservation__saga_id=saga_id)
    return [
        Holding(line.product_id, line.quantity, Status(line.reservation.status))
        for line in lines.select_related("reservation").order_by("product_id")
    ]


def units_held(*, saga_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """Return how many units each of these sagas holds now; those that hold none are left out."""
    lines = ReservationLine.objects.using(DATABASE).filter(
        reservation__saga_id__in=saga_ids, reservation__status=Status.HELD
    )
    counted = lines.values_list("reservation__saga_id").annotate(units=Sum("quantity")).order_by()
    return dict(counted)


# Staff ------------------------------------------------------------------------------------


def add_product(
    *, sku: str, name: str, description: str, price: int, currency: str, on_hand: int
) -> bool:
    """Put a product and its first stock on the shelf; one that is there already is left alone.

    Args:
        price: in minor units of ``currency``.
        on_hand: units, 0 or more.

    Returns:
        Whether it is new.
    """
    with crash.committing("inventory.add_product", using=DATABASE):
        _, new = Product.objects.using(DATABASE).get_or_create(
            sku=sku,
            defaults={
                "name": name,
                "description": description,
                "price": price,
                "currency": currency,
            },
        )
        Stock.objects.using(DATABASE).get_or_create(pk=sku, defaults={"on_hand": on_hand})
    return new


def receive_stock(*, sku: str, quantity: int) -> None:
    """Add ``quantity`` units, 1 or more, that came in.

    Raises:
        UnknownProducts: there is no such product.
    """
    if quantity < 1:
        raise ValueError(f"a delivery has one unit or more, not {quantity}")
    adjust_stock(sku=sku, change=quantity)


def adjust_stock(*, sku: str, change: int) -> None:
    """Correct the units on hand by ``change``, as a stocktake found; held units stay held.

    Raises:
        UnknownProducts: there is no such product.
        StockHeld: fewer would be left than are held for orders.
    """
    with crash.committing("inventory.adjust_stock", using=DATABASE):
        if level := move(sku, on_hand=change):
            tell_of_level(level)
            return
    if not Stock.objects.using(DATABASE).filter(pk=sku).exists():
        raise UnknownProducts([sku])
    raise StockHeld(f"{sku} has fewer than {-change} units that are not held for orders")


def set_low_at(*, sku: str, low_at: int) -> None:
    """Let staff be told once no more than ``low_at`` units, 0 or more, can be sold.

    Raises:
        UnknownProducts: there is no such product.
    """
    with crash.statement("inventory.set_low_at", using=DATABASE):
        changed = Stock.objects.using(DATABASE).filter(pk=sku).update(low_at=low_at)
    if not changed:
        raise UnknownProducts([sku])


def reset_stock(*, sku: str, available: int) -> None:
    """Make exactly ``available`` units of ``sku`` available again; held units stay held.

    Raises:
        UnknownProducts: there is no such product.
    """
    with crash.committing("inventory.reset_stock", using=DATABASE):
        stock = Stock.objects.using(DATABASE).select_for_update().filter(pk=sku).first()
        if stock is None:
            raise UnknownProducts([sku])
        level = move(sku, on_hand=available - stock.available)
        if level:
            tell_of_level(level)


def _shortages_now(short: Sequence[str], wanted: Mapping[str, int]) -> Sequence[Shortage]:
    stock = Stock.objects.using(DATABASE).in_bulk(short)
    return [
        Shortage(
            sku=sku,
            wanted=wanted[sku],
            available=stock[sku].available if sku in stock else 0,
        )
        for sku in short
    ]


def _write(reservation: Reservation, wanted: Mapping[str, int]) -> None:
    reservation.save(using=DATABASE, force_insert=True)
    ReservationLine.objects.using(DATABASE).bulk_create(
        ReservationLine(reservation=reservation, product_id=sku, quantity=quantity)
        for sku, quantity in wanted.items()
    )
