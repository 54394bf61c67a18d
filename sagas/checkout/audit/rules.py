"""The rules of a checkout, one function a domain (DESIGN: "What must hold").

``claim.steps`` says of each step whether its effect must, may or must never stand; a rule says
what that means in its domain. Each compares the saga's row with one domain only, so that a
domain that is away takes only its own rules with it; goods are the one that needs two.
"""

from collections.abc import Iterator
from uuid import UUID

from django.urls import reverse

from inventory.services import AuditedReservation, Miscount
from notifications.services import AuditedMail
from orders.services import AuditedOrder
from payments.services import AuditedPayment
from sagas.auditor import Claim, Fault, Mend, Severity
from sagas.models import COMPENSATED, COMPENSATING, COMPLETE, FAILED
from sagas.participant.among import SagaKey

ORDERS, INVENTORY, PAYMENTS = "orders", "inventory", "payments"
NOTIFICATIONS = "notifications"

#: A payment that will never move money again, unless the provider captures it late.
_CLOSED = ("CANCELLED", "REFUNDED")
#: Past these states a mail may have gone out that cannot be unsent.
_MAILED = ("ORDER_CONFIRMED", "PAYMENT_CAPTURED", COMPLETE)


def order_faults(claim: Claim, order: AuditedOrder | None) -> Iterator[Fault]:
    """The order is made, confirmed and cancelled when the saga says so, over the same total."""
    status = order.status if order else ""
    if claim.must("create_order") and status not in ("PENDING", "CONFIRMED"):
        yield _order_fault(claim, "order-stands", f"its order is {status or 'not there'}")
    elif claim.must("confirm_order") and status != "CONFIRMED":
        yield _order_fault(claim, "order-confirmed", f"its order is {status or 'not there'}")
    if claim.never("create_order") and status not in ("", "CANCELLED"):
        yield _order_fault(claim, "order-undone", f"its order is {status}")
    elif claim.never("confirm_order") and status == "CONFIRMED":
        yield _order_fault(claim, "order-confirmed-early", "its order is CONFIRMED")
    if order is not None and (order.total, order.currency) != (claim.amount, claim.currency):
        what = f"its order is over {order.total} {order.currency}"
        yield _order_fault(claim, "order-total", what)
    if order is not None and order.lines_total != order.total:
        what = f"the lines of its order come to {order.lines_total}, not {order.total}"
        yield _order_fault(claim, "order-lines", what)


def stock_faults(claim: Claim, held: AuditedReservation | None) -> Iterator[Fault]:
    """Stock is held while the saga says so, and free once it is undone."""
    status = held.status if held else ""
    if claim.must("reserve_inventory") and status != "HELD":
        yield _fault(
            claim,
            "stock-held",
            f"its stock is {status or 'not there'}",
            INVENTORY,
            _turn_back(claim),
        )
    elif claim.never("reserve_inventory") and status == "HELD":
        what = f"{held.goods if held else ''} is held for it"
        yield _fault(
            claim,
            "stock-released",
            what,
            INVENTORY,
            Mend.STOCK,
            page=_reservations(claim),
        )


def goods_faults(
    claim: Claim, order: AuditedOrder | None, held: AuditedReservation | None
) -> Iterator[Fault]:
    """What is, or was, held is exactly what was ordered."""
    if order is not None and held is not None and order.goods != held.goods:
        what = f"ordered {order.goods or 'nothing'}, held {held.goods or 'nothing'}"
        mend = _turn_back(claim)
        yield _fault(claim, "stock-is-the-orders", what, INVENTORY, mend, more=(ORDERS,))


def money_faults(claim: Claim, payment: AuditedPayment | None) -> Iterator[Fault]:
    """The money is held, once, while the saga says so; else nothing is.

    All of it is, but for what the returns that follow the checkout give back, and for a part that
    staff gave back in the provider's dashboard: that was told when it was recorded. If nothing is
    left, nobody has paid for the order.
    """
    # Charged by one step, or authorised by one and captured by another.
    must_hold = claim.must("charge_payment") or claim.must("capture_payment")
    taking = ("charge_payment", "authorise_payment", "capture_payment")
    if payment is None:
        if must_hold:
            yield _money_fault(claim, "money-held", "there is no payment", claim.amount)
        return
    net = payment.captured - payment.refunded
    if (payment.amount, payment.currency) != (claim.amount, claim.currency):
        what = f"its payment is over {payment.amount} {payment.currency}"
        yield _money_fault(claim, "payment-total", what, abs(payment.amount - claim.amount))
    if not 0 <= payment.refunded <= payment.captured <= payment.amount:
        what = f"captured {payment.captured}, refunded {payment.refunded} of {payment.amount}"
        yield _money_fault(claim, "refunded-captured-amount", what, abs(net))
    done = (payment.done or "").split()
    if max(done.count("charge"), done.count("refund")) > 1:
        what = f"got through: {', '.join(sorted(done))}"
        yield _money_fault(claim, "one-charge-one-refund", what, payment.amount)
    due = (claim.amount - claim.given_back_most, claim.amount - claim.given_back_least)
    elsewhere = payment.elsewhere if net else 0
    if must_hold and not due[0] - elsewhere <= net <= due[1]:
        what = f"captured {payment.captured}, refunded {payment.refunded} of {claim.amount}"
        yield _money_fault(claim, "money-held", what, abs(due[1] - net))
    elif any(claim.never(step) for step in taking) and net:
        what = f"captured {payment.captured}, refunded {payment.refunded}"
        yield _money_fault(claim, "money-given-back", what, net)
    elif claim.state == COMPENSATED and payment.status not in _CLOSED:
        what = f"its payment is {payment.status}"
        yield _money_fault(claim, "payment-closed", what, payment.amount)


def paid_faults(
    claim: Claim, order: AuditedOrder | None, payment: AuditedPayment | None
) -> Iterator[Fault]:
    """A saga that failed leaves no confirmed order behind that is not paid."""
    net = payment.captured - payment.refunded if payment else 0
    is_confirmed = order is not None and order.status == "CONFIRMED"
    if claim.state == FAILED and is_confirmed and net < claim.amount:
        what = f"its order is CONFIRMED, and only {net} of {claim.amount} is held"
        yield _fault(claim, "confirmed-is-paid", what, ORDERS, Mend.RETRY, more=(PAYMENTS,))


def mail_faults(
    claim: Claim, confirmation: AuditedMail | None, apology: AuditedMail | None
) -> Iterator[Fault]:
    """The shopper is told once, and only what is true."""
    told = confirmation.status if confirmation else ""
    if claim.must("send_confirmation") and told != "SENT":
        what = f"its confirmation is {told or 'not there'}"
        yield _fault(claim, "confirmation-sent", what, NOTIFICATIONS, page=_mails(claim))
    elif told and claim.never("send_confirmation") and claim.reached not in _MAILED:
        what = f"its confirmation is {told}"
        yield _fault(claim, "confirmation-early", what, NOTIFICATIONS, page=_mails(claim))
    sorry = apology.status if apology else ""
    if sorry and claim.state != COMPENSATED:
        what = f"it is {claim.state}, and its apology is {sorry}"
        yield _fault(claim, "apology-early", what, NOTIFICATIONS, page=_mails(claim))
    elif claim.state == COMPENSATED and sorry != "SENT" and not claim.is_due:
        what = "everything is undone, and nobody has told the shopper"
        yield _fault(
            claim,
            "shopper-told",
            what,
            NOTIFICATIONS,
            Mend.RETRY,
            severity=Severity.WAITS,
            amount=0,
        )


def miscount_fault(count: Miscount) -> Fault:
    """The shelf agrees with the reservations, and nothing is sold twice."""
    off = max(abs(count.reserved - count.held), count.reserved - count.on_hand, 0)
    return Fault(
        saga_id=None,
        invariant="stock-adds-up",
        what=f"{count.sku}: {count.reserved} of {count.on_hand} reserved, {count.held} held",
        sources=(INVENTORY,),
        amount=off * count.price,
        currency=count.currency,
        mend=Mend.STOCK,
        subject=count.sku,
        page=reverse("admin:inventory_stock_change", args=[count.sku]),
    )


def _turn_back(claim: Claim) -> Mend:
    undone = (COMPENSATING, COMPENSATED, FAILED)
    return Mend.BY_HAND if claim.state in undone else Mend.COMPENSATE


def _order_fault(claim: Claim, invariant: str, what: str) -> Fault:
    return _fault(claim, invariant, what, ORDERS, _turn_back(claim))


def _money_fault(claim: Claim, invariant: str, what: str, amount: int) -> Fault:
    mend = Mend.ASK if claim.state == COMPENSATED else _turn_back(claim)
    return _fault(claim, invariant, what, PAYMENTS, mend, amount=amount)


def _fault(
    claim: Claim,
    invariant: str,
    what: str,
    source: str,
    mend: Mend = Mend.BY_HAND,
    *,
    more: tuple[str, ...] = (),
    amount: int | None = None,
    severity: Severity = Severity.VIOLATION,
    page: str = "",
) -> Fault:
    return Fault(
        saga_id=UUID(claim.saga_id),
        invariant=invariant,
        what=f"{claim.state}, but {what}" if severity is Severity.VIOLATION else what,
        sources=(source, *more),
        amount=claim.amount if amount is None else amount,
        currency=claim.currency,
        severity=severity,
        mend=mend,
        page=page,
    )


def _reservations(claim: Claim) -> str:
    return rows_page("inventory_reservation", claim.saga_id)


def _mails(claim: Claim) -> str:
    return rows_page("notifications_message", claim.saga_id)


def rows_page(model: str, saga_id: SagaKey) -> str:
    return f"{reverse(f'admin:{model}_changelist')}?q={saga_id}"
