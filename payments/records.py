"""What is known about the money, written down. Nothing in here calls the provider.

Each function is one short transaction that holds the payment's row lock. ``durable`` makes
sure that it is the outermost one: what was written is committed before a call goes out.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models.functions import Now

from payments import operations
from payments.errors import PaymentInDoubt, PaymentMethodMissing, ProviderDisagrees
from payments.gateways.port import Intent
from payments.models import (
    DATABASE,
    OPEN,
    REVERSED,
    Kind,
    Payment,
    PaymentMethod,
    PaymentOperation,
    Receipt,
    Status,
)
from sagas.participant import crash
from sagas.participant.receipts import AlreadyCompensated, do_once, find_receipt, undo_once

log = structlog.get_logger(__name__)

Result = Mapping[str, Any]

#: The receipts: the intent was committed (its tombstone closes the door), the charge was made.
INTENT_STEP = "begin_charge"
CHARGE_STEP = "charge_payment"

#: A cancelled payment is asked about again this much later for the first time.
FIRST_CHECK = timedelta(minutes=1)

_CHANGING = (
    "provider_ref",
    "status",
    "captured",
    "refunded",
    "decline_code",
    "updated_at",
    "cancelled_at",
    "next_check_at",
)


# Doors that open and close ----------------------------------------------------------------


def begin_charge(
    *, saga_id: UUID, order_id: UUID, amount: int, currency: str
) -> tuple[Payment, bool]:
    """Commit the payment and its charge operation; the flag says whether this call did.

    Raises:
        AlreadyCompensated: the reversal came first.
        PaymentMethodMissing: there is nothing to charge.
    """
    first = False

    def effect() -> Result:
        nonlocal first
        first = True
        token_of(saga_id)
        payment = Payment.objects.using(DATABASE).create(
            saga_id=saga_id,
            order_id=order_id,
            amount=amount,
            currency=currency,
            provider=settings.PAYMENT_PROVIDER,
        )
        operations.open_next(payment, Kind.CHARGE)
        return {"payment_id": str(payment.pk)}

    with crash.committing("payments.begin_charge", using=DATABASE, durable=True):
        begun = do_once(Receipt, using=DATABASE, saga_id=saga_id, step=INTENT_STEP, effect=effect)
    return read(UUID(begun["payment_id"])), first


def begin_reversal(*, saga_id: UUID) -> Payment | None:
    """Commit that no forward call may begin any more; None if none ever began."""

    def turn_back(begun: Result) -> Result:
        payment = _lock(UUID(begun["payment_id"]))
        payment.begin_reversal()
        _save(payment)
        return begun

    with crash.committing("payments.begin_reversal", using=DATABASE, durable=True):
        begun = undo_once(
            Receipt, using=DATABASE, saga_id=saga_id, step=INTENT_STEP, inverse=turn_back
        )
        if not begun:
            _write_undone(saga_id, {})
    return read(UUID(begun["payment_id"])) if begun else None


# Reading ----------------------------------------------------------------------------------


def read(payment_id: UUID) -> Payment:
    """Return the payment as it is now."""
    return Payment.objects.using(DATABASE).get(pk=payment_id)


def token_of(saga_id: UUID) -> str:
    """Return the provider's token; PaymentMethodMissing if there is none."""
    method = PaymentMethod.objects.using(DATABASE).filter(pk=saga_id).first()
    if method is None:
        raise PaymentMethodMissing(f"checkout {saga_id} has no payment method")
    return method.token


def charge_result(saga_id: UUID) -> Result | None:
    """Return what the charge returned, None if it was not made; AlreadyCompensated if undone."""
    receipt = find_receipt(Receipt, using=DATABASE, saga_id=saga_id, step=CHARGE_STEP)
    if receipt is None:
        return None
    if receipt.undone_at is not None:
        raise AlreadyCompensated(f"{CHARGE_STEP} of {saga_id} was compensated already")
    return dict(receipt.result)


# Going forward ----------------------------------------------------------------------------


def note_intent(payment_id: UUID, intent: Intent) -> Payment:
    """Keep the intent's id, so that it can be asked about whatever happens next."""
    with _locked(payment_id, "payments.note_intent") as payment:
        _must_agree(payment, intent)
        payment.provider_ref = intent.ref
    return read(payment_id)


def begin_confirm(payment_id: UUID) -> PaymentOperation:
    """Return the charge to send, with a key that can still get through.

    Raises:
        AlreadyCompensated: the reversal has begun.
        PaymentInDoubt: another attempt has settled the payment in the meantime.
    """
    with _locked(payment_id, "payments.begin_confirm") as payment:
        if payment.status in REVERSED:
            raise AlreadyCompensated(f"payment {payment_id} is being reversed")
        if payment.status not in OPEN:
            raise PaymentInDoubt("another attempt has settled the payment")
        payment.begin_confirm()
        return operations.open_next(payment, Kind.CHARGE)


def lose_sight(payment_id: UUID) -> None:
    """Note that the outcome of the charge is unknown."""
    with _locked(payment_id, "payments.lose_sight") as payment:
        if payment.status in OPEN:
            payment.lose_sight()


def record_capture(payment_id: UUID, intent: Intent) -> Payment:
    """Record that the provider holds the money, wherever the payment stands."""
    with _locked(payment_id, "payments.record_capture") as payment:
        _must_agree(payment, intent)
        if intent.captured != payment.amount:
            raise ProviderDisagrees(f"payment {payment_id}: captured {intent.captured}")
        if payment.status in OPEN:
            payment.succeed()
            operations.settle_last(payment, Kind.CHARGE, ref=intent.charge_ref)
            _write_done(payment)
        elif payment.status in (Status.REVERSING, Status.CANCELLED) and not payment.captured:
            if payment.status == Status.CANCELLED:
                # Its saga is at rest: from here on the sweep sees to it.
                payment.next_check_at = payment.next_check_at or Now()
            payment.succeed_late()
            operations.settle_last(payment, Kind.CHARGE, ref=intent.charge_ref)
    return read(payment_id)


def record_decline(payment_id: UUID, code: str) -> Payment:
    """Record a definite no to the charge."""
    with _locked(payment_id, "payments.record_decline") as payment:
        if payment.status in OPEN:
            payment.decline(code=code)
            operations.fail_last(payment, Kind.CHARGE, code)
    return read(payment_id)


# Going back -------------------------------------------------------------------------------


def open_operation(payment_id: UUID, kind: Kind) -> PaymentOperation:
    """Return the operation to send, committed, with a key that can still get through.

    Raises:
        PaymentInDoubt: another attempt has settled the payment in the meantime.
    """
    with _locked(payment_id, "payments.open_operation") as payment:
        if payment.status != Status.REVERSING:
            raise PaymentInDoubt("another attempt has settled the payment")
        return operations.open_next(payment, kind)


def record_cancelled(payment_id: UUID) -> Payment:
    """Record that the provider takes no money for the intent any more."""
    with _locked(payment_id, "payments.record_cancelled") as payment:
        if payment.captured and payment.status == Status.REVERSING:
            raise ProviderDisagrees(f"payment {payment_id}: captured here, cancelled there")
        if payment.status == Status.REVERSING:
            payment.cancel()
            payment.cancelled_at = Now()
            payment.next_check_at = Now() + FIRST_CHECK
            operations.settle_last(payment, Kind.CANCEL)
            operations.fail_last(payment, Kind.CHARGE, "intent-cancelled")
            _write_undone(payment.saga_id, {"cancelled": True})
    return read(payment_id)


def record_refund(payment_id: UUID, refund_ref: str) -> Payment:
    """Record that the shopper has the whole amount back."""
    with _locked(payment_id, "payments.record_refund") as payment:
        if payment.status == Status.REVERSING:
            payment.refund()
            payment.next_check_at = None
            operations.settle_last(payment, Kind.REFUND, ref=refund_ref)
            _write_undone(payment.saga_id, {"refunded": payment.refunded})
    return read(payment_id)


def record_refund_by_hand(payment_id: UUID, reference: str) -> Payment:
    """Record that the whole amount went back outside of the provider."""
    with _locked(payment_id, "payments.record_refund_by_hand") as payment:
        if payment.status == Status.REVERSING and payment.captured:
            operation = operations.open_next(payment, Kind.REFUND)
            payment.refund()
            payment.next_check_at = None
            operations.settle_last(payment, Kind.REFUND, ref=f"by hand: {reference}"[:255])
            log.warning("refunded_by_hand", payment_id=str(payment_id), operation=str(operation.pk))
            _write_undone(payment.saga_id, {"refunded": payment.refunded})
    return read(payment_id)


def note_doubt(operation: PaymentOperation, code: str, *, key_spent: bool) -> None:
    """Note that nobody knows what became of an operation."""
    with _locked(operation.payment_id, "payments.note_doubt") as payment:
        operations.doubt(operation, code, key_spent=key_spent)
        if operation.kind == Kind.CHARGE and payment.status in OPEN:
            payment.lose_sight()


# Rows and receipts ------------------------------------------------------------------------


def _lock(payment_id: UUID) -> Payment:
    return Payment.objects.using(DATABASE).select_for_update().get(pk=payment_id)


def _save(payment: Payment) -> None:
    payment.updated_at = Now()
    payment.save(using=DATABASE, update_fields=_CHANGING)


@contextmanager
def _locked(payment_id: UUID, point: str) -> Iterator[Payment]:
    with crash.committing(point, using=DATABASE, durable=True):
        payment = _lock(payment_id)
        yield payment
        _save(payment)


def _must_agree(payment: Payment, intent: Intent) -> None:
    known = payment.provider_ref or intent.ref
    if (intent.ref, intent.amount, intent.currency) != (known, payment.amount, payment.currency):
        raise ProviderDisagrees(
            f"payment {payment.pk}: the provider's intent {intent.ref} is over "
            f"{intent.amount} {intent.currency}"
        )


def _write_done(payment: Payment) -> None:
    result = {
        "payment_id": str(payment.pk),
        "charged": payment.captured,
        "currency": payment.currency,
    }
    do_once(
        Receipt,
        using=DATABASE,
        saga_id=payment.saga_id,
        step=CHARGE_STEP,
        effect=lambda: result,
    )


def _write_undone(saga_id: UUID, result: Result) -> None:
    undo_once(Receipt, using=DATABASE, saga_id=saga_id, step=CHARGE_STEP, inverse=lambda _: result)
