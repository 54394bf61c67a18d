"""What each step after the sale does, beside its undo. Most are verbs that the checkout has too.

``saga.saga_id`` is the cancellation, or the return; ``saga.input`` names the checkout.
"""

from uuid import UUID

from inventory import services as inventory
from notifications import services as notifications
from orders import services as orders
from payments import services as payments
from sagas.definitions import Result, StepContext

#: Why an order is cancelled by a cancellation, as orders and mails know it.
CANCELLED = "cancelled"


# Cancellation -----------------------------------------------------------------------------


def hold_order(saga: StepContext) -> Result:
    """Keep the order from being shipped."""
    return orders.hold_order(saga_id=saga.saga_id, checkout_id=_checkout(saga))


def free_order(saga: StepContext) -> Result:
    """Let the order be shipped; a late hold is refused from now on."""
    return orders.free_order(saga_id=saga.saga_id)


def refund_payment(saga: StepContext) -> Result:
    """Give back all that is left of what was charged."""
    return payments.reverse_payment(saga_id=_checkout(saga))


def release_inventory(saga: StepContext) -> Result:
    """Put the goods on sale again."""
    return inventory.release_stock(saga_id=_checkout(saga))


def cancel_order(saga: StepContext) -> Result:
    """The order is CANCELLED."""
    return orders.cancel_order(saga_id=_checkout(saga), reason=CANCELLED)


def send_cancellation(saga: StepContext) -> Result:
    """Mail the shopper that the order is cancelled, and what they have back."""
    order = orders.order_of(saga_id=_checkout(saga))
    money = payments.money_of(saga_id=_checkout(saga))
    return notifications.send_cancellation(
        saga_id=saga.saga_id,
        order_id=order.id,
        recipient=order.email,
        context={
            "number": order.number,
            "name": order.shipping_name,
            "refunded": money.refunded,
            "currency": order.currency,
        },
    )


# Return -----------------------------------------------------------------------------------


def open_return(saga: StepContext) -> Result:
    """Note which units, if any, the money is for: none is paid back twice."""
    return orders.open_return(
        saga_id=saga.saga_id,
        checkout_id=_checkout(saga),
        amount=saga.input["amount"],
        currency=saga.input["currency"],
        reason=saga.input["reason"],
        lines=saga.input["lines"],
    )


def withdraw_return(saga: StepContext) -> Result:
    """Let the units be returned another time, unless the money is gone; refuse a late opening."""
    is_paid = payments.part_stands(saga_id=saga.saga_id)
    return orders.withdraw_return(saga_id=saga.saga_id, is_paid=is_paid)


def refund_part(saga: StepContext) -> Result:
    """Give the amount back, once."""
    return payments.refund_part(
        saga_id=saga.saga_id, checkout_id=_checkout(saga), amount=saga.input["amount"]
    )


def stop_refund(saga: StepContext) -> Result:
    """Keep the refund from being made, or find out that it stands."""
    return payments.stop_refund(saga_id=saga.saga_id)


def close_return(saga: StepContext) -> Result:
    """The return is REFUNDED."""
    opened = saga.results["open_return"]
    return orders.close_return(saga_id=saga.saga_id, return_id=opened["return_id"])


def send_refund_notice(saga: StepContext) -> Result:
    """Mail the shopper what they have back, and for what."""
    order = orders.order_of(saga_id=_checkout(saga))
    names = {line.sku: line.name for line in order.lines.all()}
    return notifications.send_refund_notice(
        saga_id=saga.saga_id,
        order_id=order.id,
        recipient=order.email,
        context={
            "number": order.number,
            "name": order.shipping_name,
            "refunded": saga.input["amount"],
            "currency": order.currency,
            "lines": [
                {"name": names[line["sku"]], "quantity": line["quantity"]}
                for line in saga.input["lines"]
            ],
        },
    )


def _checkout(saga: StepContext) -> UUID:
    return UUID(saga.input["checkout_id"])
