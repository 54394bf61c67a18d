"""The only door to the orders: from what a shopper posted to an order confirmed or cancelled."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import choice
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django_fsm import TransitionNotAllowed

from orders.aftersales import (
    OrderHeldBack,
    OrderNotConfirmed,
    OrderShipped,
    ReturnedBefore,
    close_return,
    free_order,
    hold_order,
    open_return,
    ship_order,
    withdraw_return,
)
from orders.auditing import AuditedOrder, audited_orders, lone_receipts, touched_orders
from orders.drafts import (
    Basket,
    BasketLine,
    DraftMissing,
    PricedLine,
    ShippingAddress,
    discard_draft,
    draft_of,
    drafted_basket,
    purge_drafts,
    save_draft,
)
from orders.events import tell_of
from orders.models import (
    ADDRESS_PARTS,
    DATABASE,
    EventKind,
    Order,
    OrderEvent,
    OrderLine,
    Receipt,
    Status,
)
from orders.timeline import timeline_of
from sagas.participant.receipts import do_once, undo_once

__all__ = [
    "NUMBER_PATTERN",
    "AuditedOrder",
    "Basket",
    "BasketLine",
    "Contact",
    "DraftMissing",
    "OrderHeldBack",
    "OrderMissing",
    "OrderNotConfirmed",
    "OrderNotPending",
    "OrderShipped",
    "PricedLine",
    "ReturnedBefore",
    "ShippingAddress",
    "Summary",
    "all_orders",
    "audited_orders",
    "basket_of",
    "cancel_order",
    "close_return",
    "confirm_order",
    "contact_of",
    "create_order",
    "discard_draft",
    "draft_of",
    "free_order",
    "hold_order",
    "lone_receipts",
    "mail_context",
    "open_return",
    "order_of",
    "orders_of",
    "purge_drafts",
    "sagas_of",
    "save_draft",
    "ship_order",
    "summaries",
    "timeline_of",
    "touched_orders",
    "withdraw_return",
]

#: Under these names the receipts are kept; cancelling is the undo of creating.
CREATE = "create_order"
CONFIRM = "confirm_order"

#: Crockford's base 32: no letter that is read as a digit, and no U.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_DRAWN = 8
NUMBER_PATTERN = re.compile(rf"MG-[{_ALPHABET}]{{{_DRAWN}}}")

#: Checkouts of one e-mail address that a search returns at the most.
_MOST_FOUND = 100

Result = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Contact:
    """Whom to write to about a checkout. Personal data: pass it on in memory, never keep it."""

    email: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Summary:
    """An order as a list shows it; ``shopper`` is masked."""

    order_id: UUID
    number: str
    status: Status
    shopper: str


class OrderMissing(Exception):
    """The checkout has no order."""

    code = "order-missing"


class OrderNotPending(Exception):
    """The order cannot be confirmed: it was cancelled, or there is none."""

    code = "order-not-pending"


# The saga's steps, each beside its inverse ------------------------------------------------


def create_order(*, saga_id: UUID) -> Result:
    """Make the order, PENDING, from its draft, once a saga; a repeat returns the first result.

    Returns:
        ``{"order_id", "number", "total", "currency", "lines": [{"sku", "quantity"}, ...]}``,
        the total in minor units.

    Raises:
        DraftMissing: nothing was posted under this id; a refusal.
        AlreadyCompensated: the order was cancelled before it was made; it is never made.
    """
    return do_once(
        Receipt,
        using=DATABASE,
        saga_id=saga_id,
        step=CREATE,
        effect=lambda: _create(saga_id),
        point="orders.create_order",
    )


def cancel_order(*, saga_id: UUID, reason: str) -> Result:
    """Cancel the order, a confirmed one too; if there is none, forbid that it is ever made.

    The engine lets nobody but an operator undo a confirmed order, and undoes the money first.

    Args:
        reason: why, as a kebab-case code of at most 64 characters.

    Returns:
        ``{"order_id": ...}``, or ``{}`` if there was nothing to cancel.
    """

    def cancel(_: Result) -> Result:
        order = _locked(saga_id)
        order.cancel(reason=reason)
        order.save(update_fields=["status", "cancel_reason", "cancelled_at"], using=DATABASE)
        _note(order, EventKind.CANCELLED, reason)
        return {"order_id": str(order.pk)}

    return undo_once(
        Receipt,
        using=DATABASE,
        saga_id=saga_id,
        step=CREATE,
        inverse=cancel,
        point="orders.cancel_order",
    )


def confirm_order(*, saga_id: UUID) -> Result:
    """Confirm the paid order, once a saga; a repeat returns the first result.

    Returns:
        ``{"order_id": ...}``

    Raises:
        OrderNotPending: it was cancelled, or there is none; a refusal.
    """

    def confirm() -> Result:
        try:
            order = _locked(saga_id)
            order.confirm()
        except (Order.DoesNotExist, TransitionNotAllowed) as error:
            raise OrderNotPending(f"checkout {saga_id} has no pending order") from error
        order.save(update_fields=["status", "confirmed_at"], using=DATABASE)
        _note(order, EventKind.CONFIRMED)
        return {"order_id": str(order.pk)}

    return do_once(
        Receipt,
        using=DATABASE,
        saga_id=saga_id,
        step=CONFIRM,
        effect=confirm,
        point="orders.confirm_order",
    )


# Reading ----------------------------------------------------------------------------------


def all_orders() -> QuerySet[Order]:
    """Return every order with its lines and events, the newest first, in three queries."""
    return Order.objects.using(DATABASE).prefetch_related("lines", "events")


def orders_of(*, principal: str) -> QuerySet[Order]:
    """Return the orders of ``principal`` (such as ``user:42``), the newest first."""
    return all_orders().filter(principal=principal)


def order_of(*, saga_id: UUID) -> Order:
    """Return the order of a checkout with its lines.

    Raises:
        OrderMissing: the checkout has no order.
    """
    orders = Order.objects.using(DATABASE).prefetch_related("lines")
    order = orders.filter(saga_id=saga_id).first()
    if order is None:
        raise OrderMissing(f"checkout {saga_id} has no order")
    return order


def contact_of(*, saga_id: UUID) -> Contact:
    """Return whom to write to about a checkout, whether or not it came to an order.

    Raises:
        DraftMissing: there is neither an order nor a draft (any more).
    """
    buyer = Order.objects.using(DATABASE).filter(saga_id=saga_id).first() or draft_of(
        checkout_id=saga_id
    )
    return Contact(email=buyer.email, name=buyer.shipping_name)


def basket_of(*, checkout_id: UUID) -> Basket:
    """Return what a checkout buys, whether or not it came to an order.

    Raises:
        DraftMissing: there is neither an order nor a draft (any more).
    """
    order = all_orders().filter(saga_id=checkout_id).first()
    if order is None:
        return drafted_basket(draft_of(checkout_id=checkout_id))
    lines = [
        BasketLine(sku=line.sku, name=line.name, quantity=line.quantity, unit_price=line.unit_price)
        for line in order.lines.all()
    ]
    return Basket(currency=order.currency, total=order.total, lines=lines)


def summaries(*, saga_ids: Sequence[UUID]) -> Mapping[UUID, Summary]:
    """Return what staff may see in a list of each checkout that has come to an order."""
    rows = Order.objects.using(DATABASE).filter(saga_id__in=saga_ids)
    return {
        row.saga_id: Summary(
            order_id=row.pk,
            number=row.number,
            status=Status(row.status),
            shopper=_masked(row.email),
        )
        for row in rows
    }


def sagas_of(*, text: str) -> Sequence[UUID]:
    """Return the checkouts that ``text`` is the order number or the e-mail address of.

    Neither minds the case of letters.
    """
    orders = Order.objects.using(DATABASE)
    if NUMBER_PATTERN.fullmatch(text.upper()):
        return list(orders.filter(number=text.upper()).values_list("saga_id", flat=True))
    if "@" not in text:
        return []
    found = orders.filter(email__iexact=text).order_by("-created_at")[:_MOST_FOUND]
    return list(found.values_list("saga_id", flat=True))


def mail_context(order: Order) -> Mapping[str, Any]:
    """Return what a mail says of ``order``; amounts in minor units. Personal data."""
    address = order.shipping_address
    return {
        "number": order.number,
        "name": address["name"],
        "lines": [
            {"name": line.name, "quantity": line.quantity, "line_total": line.line_total}
            for line in order.lines.all()
        ],
        "total": order.total,
        "currency": order.currency,
        "address": [part for part in _address_lines(address) if part],
    }


def _masked(email: str) -> str:
    """Return an address by which a shopper can be told apart, and not be written to."""
    name, _, domain = email.rpartition("@")
    return f"{name[:1]}***@{domain}"


def _create(saga_id: UUID) -> Result:
    draft = draft_of(checkout_id=saga_id)
    basket = drafted_basket(draft)
    order = Order.objects.using(DATABASE).create(
        saga_id=saga_id,
        # Drawn anew at every attempt: should one be taken, the retry draws another.
        number=_draw_number(),
        principal=draft.principal,
        email=draft.email,
        currency=basket.currency,
        total=sum(line.line_total for line in basket.lines),
        **{f"shipping_{part}": draft.shipping_address[part] for part in ADDRESS_PARTS},
    )
    OrderLine.objects.using(DATABASE).bulk_create(
        OrderLine(
            order=order,
            sku=line.sku,
            name=line.name,
            quantity=line.quantity,
            unit_price=line.unit_price,
            line_total=line.line_total,
        )
        for line in basket.lines
    )
    _note(order, EventKind.CREATED)
    return {
        "order_id": str(order.pk),
        "number": order.number,
        "total": order.total,
        "currency": order.currency,
        "lines": [{"sku": line.sku, "quantity": line.quantity} for line in basket.lines],
    }


def _locked(saga_id: UUID) -> Order:
    return Order.objects.using(DATABASE).select_for_update().get(saga_id=saga_id)


def _note(order: Order, kind: EventKind, reason: str = "") -> None:
    OrderEvent.objects.using(DATABASE).create(order=order, kind=kind, reason=reason)
    tell_of(order, kind, reason)


def _draw_number() -> str:
    """Return a number that cannot be guessed and does not tell how many orders there are."""
    return "MG-" + "".join(choice(_ALPHABET) for _ in range(_DRAWN))


def _address_lines(address: Mapping[str, str]) -> list[str]:
    return [
        address["name"],
        address["line1"],
        address["line2"],
        f"{address['postal_code']} {address['city']}",
        address["country"],
    ]
