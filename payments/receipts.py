"""The receipts of payments: which of the saga's steps are done, undone, or forbidden for ever."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from payments.models import DATABASE, Payment, Receipt
from sagas.participant.receipts import (
    AlreadyCompensated,
    do_known_once,
    find_receipt,
    undo_once,
)

Result = Mapping[str, Any]

#: The receipts: the intent was committed (its tombstone closes the door), the charge was made.
INTENT_STEP = "begin_charge"
CHARGE_STEP = "charge_payment"
#: The same in two, where the money is captured by hand.
AUTHORISE_STEP, CAPTURE_STEP = "authorise_payment", "capture_payment"
#: A partial refund was set aside (its tombstone closes the door), and went through.
BEGIN_PART_STEP, PART_STEP = "begin_refund", "refund_part"


def result_of(saga_id: UUID, step: str) -> Result | None:
    """Return what a step returned, None if it was not made; AlreadyCompensated if undone."""
    receipt = find_receipt(Receipt, using=DATABASE, saga_id=saga_id, step=step)
    if receipt is None:
        return None
    if receipt.undone_at is not None:
        raise AlreadyCompensated(f"{step} of {saga_id} was compensated already")
    return dict(receipt.result)


def result_for(payment: Payment, step: str) -> Result:
    """Return what ``step`` returns once it is done."""
    what = "authorised" if step == AUTHORISE_STEP else "charged"
    return {"payment_id": str(payment.pk), what: payment.amount, "currency": payment.currency}


def write_authorised(payment: Payment) -> None:
    """The bank holds the money."""
    _do_receipt(payment, AUTHORISE_STEP)


def write_done(payment: Payment) -> None:
    """The money is captured."""
    if payment.manual_capture:
        write_authorised(payment)
    _do_receipt(payment, CAPTURE_STEP if payment.manual_capture else CHARGE_STEP)


def _do_receipt(payment: Payment, step: str) -> None:
    result = result_for(payment, step)
    do_known_once(Receipt, using=DATABASE, saga_id=payment.saga_id, step=step, result=result)


def write_undone(payment: Payment, result: Result) -> None:
    """It was taken back."""
    by_hand = (CAPTURE_STEP, AUTHORISE_STEP)
    for step in by_hand if payment.manual_capture else (CHARGE_STEP,):
        undo_receipt(payment.saga_id, step, result)


def undo_receipt(saga_id: UUID, step: str, result: Result) -> None:
    """Mark one step as undone, or as never to be done."""
    undo_once(Receipt, using=DATABASE, saga_id=saga_id, step=step, inverse=lambda _: result)
