"""What each step of the checkout does, beside its undo. The only place that names all four domains.

Personal data passes through here from one domain to another, in memory, and is never
returned: results hold ids and amounts.
"""

from inventory import services as inventory
from notifications import services as notifications
from orders import services as orders
from payments import services as payments
from sagas.definitions import Result, StepContext


def create_order(saga: StepContext) -> Result:
    """Make the order, PENDING, from what the shopper posted."""
    return orders.create_order(saga_id=saga.saga_id)


def cancel_order(saga: StepContext) -> Result:
    """Cancel the order; a late create is refused from now on."""
    return orders.cancel_order(saga_id=saga.saga_id, reason=saga.reason)


def reserve_inventory(saga: StepContext) -> Result:
    """Hold stock for every line, or for none."""
    order = saga.results["create_order"]
    return inventory.reserve_stock(
        saga_id=saga.saga_id, order_id=order["order_id"], lines=order["lines"]
    )


def release_inventory(saga: StepContext) -> Result:
    """Give the held stock back; a late hold is refused from now on."""
    return inventory.release_stock(saga_id=saga.saga_id)


def charge_payment(saga: StepContext) -> Result:
    """Charge the shopper the order's total, once."""
    order = saga.results["create_order"]
    return payments.charge_payment(
        saga_id=saga.saga_id,
        order_id=order["order_id"],
        amount=order["total"],
        currency=order["currency"],
    )


def authorise_payment(saga: StepContext) -> Result:
    """Let the bank hold the order's total for us, once."""
    order = saga.results["create_order"]
    return payments.authorise_payment(
        saga_id=saga.saga_id,
        order_id=order["order_id"],
        amount=order["total"],
        currency=order["currency"],
    )


def void_payment(saga: StepContext) -> Result:
    """Let the bank give the money free, which costs nothing; refund what was captured already."""
    return payments.reverse_payment(saga_id=saga.saga_id)


def capture_payment(saga: StepContext) -> Result:
    """Take the money that the bank holds."""
    return payments.capture_payment(saga_id=saga.saga_id)


def refund_payment(saga: StepContext) -> Result:
    """Refund what was charged, or cancel the intent so that it can never be charged."""
    return payments.reverse_payment(saga_id=saga.saga_id)


def confirm_order(saga: StepContext) -> Result:
    """The order is paid: CONFIRMED."""
    return orders.confirm_order(saga_id=saga.saga_id)


def send_confirmation(saga: StepContext) -> Result:
    """Mail the shopper that the order is confirmed."""
    order = orders.order_of(saga_id=saga.saga_id)
    return notifications.send_confirmation(
        saga_id=saga.saga_id,
        order_id=order.id,
        recipient=order.email,
        context=orders.mail_context(order),
    )


def send_apology(saga: StepContext) -> Result:
    """Mail the shopper that the checkout was undone, why, and what became of the money."""
    contact = orders.contact_of(saga_id=saga.saga_id)
    money = payments.money_of(saga_id=saga.saga_id)
    return notifications.send_apology(
        saga_id=saga.saga_id,
        recipient=contact.email,
        context={
            "name": contact.name,
            "reason": saga.reason,
            "refunded": money.refunded,
            "currency": money.currency,
        },
    )
