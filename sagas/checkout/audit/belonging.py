"""Each row of a domain belongs to one saga, and each saga has one of it."""

from uuid import UUID

from inventory.services import AuditedReservation
from notifications.services import AuditedMail
from orders.services import AuditedOrder
from payments.services import AuditedPayment
from sagas.auditor import Claim, Fault, Mend
from sagas.checkout.audit.rules import INVENTORY, NOTIFICATIONS, ORDERS, PAYMENTS, rows_page
from sagas.participant.among import SagaKey


def order_of_nobody(order: AuditedOrder) -> Fault:
    """An order belongs to a saga."""
    return Fault(
        saga_id=UUID(order.saga_id),
        invariant="order-has-a-saga",
        what=f"there is an order, {order.status}, and no saga",
        sources=(ORDERS,),
        amount=order.total,
        currency=order.currency,
        page=rows_page("orders_order", order.saga_id),
    )


def stock_of_nobody(held: AuditedReservation) -> Fault:
    """A reservation belongs to a saga."""
    return Fault(
        saga_id=UUID(held.saga_id),
        invariant="reservation-has-a-saga",
        what=f"there is a reservation of {held.goods}, {held.status}, and no saga",
        sources=(INVENTORY,),
        mend=Mend.STOCK,
        page=rows_page("inventory_reservation", held.saga_id),
    )


def payment_of_nobody(payment: AuditedPayment) -> Fault:
    """A payment belongs to a saga."""
    return Fault(
        saga_id=UUID(payment.saga_id),
        invariant="payment-has-a-saga",
        what=f"there is a payment, {payment.status}, and no saga",
        sources=(PAYMENTS,),
        amount=payment.captured - payment.refunded,
        currency=payment.currency,
        page=rows_page("payments_payment", payment.saga_id),
    )


def mail_of_nobody(mail: AuditedMail) -> Fault:
    """A mail belongs to a saga."""
    return Fault(
        saga_id=UUID(mail.saga_id),
        invariant="mail-has-a-saga",
        what=f"there is a mail, {mail.kind}, {mail.status}, and no saga",
        sources=(NOTIFICATIONS,),
        subject=mail.kind,
        page=rows_page("notifications_message", mail.saga_id),
    )


def receipt_of_nobody(source: str, saga_id: SagaKey) -> Fault:
    """A receipt belongs to a saga."""
    return Fault(
        saga_id=UUID(saga_id),
        invariant="receipt-has-a-saga",
        what=f"{source} has a receipt, and there is no saga",
        sources=(source,),
        subject=source,
    )


def doubled(source: str, saga_id: SagaKey, claim: Claim | None) -> Fault:
    """A domain keeps one row a saga, and one mail of a kind."""
    return Fault(
        saga_id=UUID(saga_id),
        invariant="one-row-a-saga",
        what=f"{source} has more than one row of it",
        sources=(source,),
        amount=claim.amount if claim else 0,
        currency=claim.currency if claim else "",
        subject=source,
    )
