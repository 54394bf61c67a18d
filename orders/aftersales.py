"""What happens to a confirmed order: it is shipped, or cancelled, or a part of it is returned.

Goods leave, or the order is cancelled; never both. A cancellation therefore holds the order back
first, in one row with the mark that it was shipped.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import F
from django.db.models.functions import Now

from orders.events import tell_of
from orders.models import (
    DATABASE,
    EventKind,
    Order,
    OrderEvent,
    OrderLine,
    Receipt,
    Return,
    ReturnLine,
    ReturnStatus,
    Status,
)
from sagas.participant import crash
from sagas.participant.receipts import do_once, undo_once

#: Under these names the receipts are kept, each with its undo.
HOLD, RETURN, CLOSE = "hold_order", "open_return", "close_return"

Result = Mapping[str, Any]


class OrderShipped(Exception):
    """The goods have left; a refusal."""

    code = "order-shipped"


class OrderNotConfirmed(Exception):
    """The order is not confirmed yet, or was cancelled; a refusal."""

    code = "order-not-confirmed"


class OrderHeldBack(Exception):
    """Another cancellation is at work on the order; a refusal."""

    code = "order-held-back"


class ReturnedBefore(Exception):
    """More units would come back than were bought; a refusal."""

    code = "returned-before"


# Each step beside its inverse ---------------------------------------------------------------


def hold_order(*, saga_id: UUID, checkout_id: UUID) -> Result:
    """Hold a confirmed order back from being shipped, for a cancellation, once.

    Args:
        saga_id: the cancellation.
        checkout_id: whose order.

    Returns:
        ``{"order_id": ...}``

    Raises:
        OrderShipped, OrderNotConfirmed, OrderHeldBack: a definite no; nothing has changed.
        AlreadyCompensated: it was set free before it was held.
    """

    def hold() -> Result:
        order = _locked(checkout_id)
        if order.shipped_at is not None:
            raise OrderShipped(f"order {order.number} has been shipped")
        if order.held_by not in (None, saga_id):
            raise OrderHeldBack(f"order {order.number} is held back by another cancellation")
        order.held_by = saga_id
        order.save(update_fields=["held_by"], using=DATABASE)
        return {"order_id": str(order.pk)}

    return do_once(
        Receipt,
        using=DATABASE,
        saga_id=saga_id,
        step=HOLD,
        effect=hold,
        point="orders.hold_order",
    )


def free_order(*, saga_id: UUID) -> Result:
    """Let an order be shipped again; the undo of ``hold_order``.

    Returns:
        ``{"order_id": ...}``, or ``{}`` if it was never held; it never will be by this saga.
    """

    def free(held: Result) -> Result:
        mine = Order.objects.using(DATABASE).filter(pk=held["order_id"], held_by=saga_id)
        mine.update(held_by=None)
        return held

    return undo_once(
        Receipt,
        using=DATABASE,
        saga_id=saga_id,
        step=HOLD,
        inverse=free,
        point="orders.free_order",
    )


def open_return(
    *,
    saga_id: UUID,
    checkout_id: UUID,
    amount: int,
    currency: str,
    reason: str,
    lines: Sequence[Mapping[str, Any]] = (),
) -> Result:
    """Note what money is to be given back for, once; no unit comes back twice.

    Args:
        saga_id: the return.
        checkout_id: whose order.
        amount: minor units of ``currency``, more than 0.
        reason: a kebab-case code of at most 64 characters.
        lines: of ``sku`` and ``quantity``; none if it is about money alone.

    Returns:
        ``{"return_id": ..., "number": ...}``

    Raises:
        OrderNotConfirmed, ReturnedBefore: a definite no; nothing has changed.
        AlreadyCompensated: it was withdrawn before it was opened.
    """

    def note() -> Result:
        order = _locked(checkout_id)
        made = Return.objects.using(DATABASE).create(
            saga_id=saga_id, order=order, amount=amount, currency=currency, reason=reason
        )
        # In the order of the SKUs, so that two returns queue up and never deadlock.
        for wanted in sorted(lines, key=lambda each: str(each["sku"])):
            _take_back(made, order, wanted["sku"], wanted["quantity"])
        return {"return_id": str(made.pk), "number": order.number}

    return do_once(
        Receipt,
        using=DATABASE,
        saga_id=saga_id,
        step=RETURN,
        effect=note,
        point="orders.open_return",
    )


def withdraw_return(*, saga_id: UUID, is_paid: bool = False) -> Result:
    """Take a return back, so that its units can be returned; the undo of ``open_return``.

    Args:
        saga_id: the return.
        is_paid: the money went back all the same, so that the units stay returned.

    Returns:
        ``{"return_id": ...}``, or ``{}`` if there was none; there never will be.
    """

    def withdraw(opened: Result) -> Result:
        made = _locked_return(opened["return_id"])
        if is_paid:
            _close(made, ReturnStatus.REFUNDED)
            return {"return_id": opened["return_id"]}
        for each in made.lines.using(DATABASE).order_by("line__sku"):
            OrderLine.objects.using(DATABASE).filter(pk=each.line_id).update(
                returned=F("returned") - each.quantity
            )
        _close(made, ReturnStatus.WITHDRAWN)
        return {"return_id": opened["return_id"]}

    return undo_once(
        Receipt,
        using=DATABASE,
        saga_id=saga_id,
        step=RETURN,
        inverse=withdraw,
        point="orders.withdraw_return",
    )


def close_return(*, saga_id: UUID, return_id: UUID | str) -> Result:
    """Note that the shopper has the money back, once.

    Returns:
        ``{"return_id": ...}``
    """

    def close() -> Result:
        _close(_locked_return(return_id), ReturnStatus.REFUNDED)
        return {"return_id": str(return_id)}

    return do_once(
        Receipt,
        using=DATABASE,
        saga_id=saga_id,
        step=CLOSE,
        effect=close,
        point="orders.close_return",
    )


# Staff ------------------------------------------------------------------------------------


def ship_order(*, order_id: UUID) -> Order:
    """Note that the goods have left; from now on the order can be returned, not cancelled.

    Raises:
        OrderNotConfirmed, OrderHeldBack, OrderShipped: nothing was noted.
    """
    with crash.committing("orders.ship_order", using=DATABASE):
        order = Order.objects.using(DATABASE).select_for_update().get(pk=order_id)
        if order.status != Status.CONFIRMED:
            raise OrderNotConfirmed(f"order {order.number} is {order.status}")
        if order.shipped_at is not None:
            raise OrderShipped(f"order {order.number} has been shipped before")
        if order.held_by is not None:
            raise OrderHeldBack(f"order {order.number} is being cancelled")
        order.shipped_at = Now()
        order.save(update_fields=["shipped_at"], using=DATABASE)
        OrderEvent.objects.using(DATABASE).create(order=order, kind=EventKind.SHIPPED)
        tell_of(order, EventKind.SHIPPED)
    return Order.objects.using(DATABASE).get(pk=order_id)


def _locked(checkout_id: UUID) -> Order:
    order = Order.objects.using(DATABASE).select_for_update().filter(saga_id=checkout_id).first()
    if order is None or order.status != Status.CONFIRMED:
        status = order.status if order else "not there"
        raise OrderNotConfirmed(f"the order of checkout {checkout_id} is {status}")
    return order


def _locked_return(return_id: UUID | str) -> Return:
    return Return.objects.using(DATABASE).select_for_update().get(pk=return_id)


def _take_back(made: Return, order: Order, sku: str, quantity: int) -> None:
    lines = OrderLine.objects.using(DATABASE).filter(order=order, sku=sku)
    taken = lines.filter(returned__lte=F("quantity") - quantity).update(
        returned=F("returned") + quantity
    )
    if not taken:
        raise ReturnedBefore(f"fewer than {quantity} x {sku} are left of order {order.number}")
    ReturnLine.objects.using(DATABASE).create(of=made, line=lines.get(), quantity=quantity)


def _close(made: Return, status: ReturnStatus) -> None:
    made.status, made.closed_at = status, Now()
    made.save(update_fields=["status", "closed_at"], using=DATABASE)
