"""What people and the sweep do to a payment, beside what its saga does."""

import math
import time
from contextlib import suppress
from uuid import UUID

from payments import aftermath, alerts, calls, charging, late, records, reversing, rows
from payments.errors import (
    AuthorisationLost,
    CardDeclined,
    PaymentNeedsAction,
    PaymentUnavailable,
    RefundRefused,
)
from payments.gateways.port import IntentStatus
from payments.models import DATABASE, HELD, OPEN, REVERSED, Payment, Status


class NotByHand(Exception):
    """What is to be recorded by hand is not confirmed, or did not go wrong."""

    code = "not-by-hand"


def refund_by_hand(*, saga_id: UUID, reference: str) -> None:
    """Record that the shopper got the money back outside of the provider.

    Asks the provider first: what it has refunded is recorded as its own refund, and a charge
    that it does not confirm, or a refund that may still come through, is not overruled.

    Args:
        reference: where the money went, such as a bank's reference; no personal data.

    Raises:
        NotByHand: nothing is captured, or nothing was refused.
        PaymentInDoubt, PaymentUnavailable: as in ``reverse_payment``.
    """
    payment = Payment.objects.using(DATABASE).filter(saga_id=saga_id).first()
    if payment is None or payment.status not in (Status.REVERSING, *REVERSED):
        raise NotByHand("no reversal of this payment has begun")
    if payment.status == Status.REVERSING:
        with suppress(RefundRefused):
            reversing.finish(payment)
            return
        records.record_refund_by_hand(payment.pk, reference)


def settle(*, payment_id: UUID) -> Status:
    """Ask the provider how a payment stands and record it; never asks for money.

    Returns:
        The payment's status afterwards. A payment that is being, or was, reversed is
        reversed to the end; of one that was captured, refunds and disputes that were made
        elsewhere are recorded; one that was never confirmed stays as it is.

    Raises:
        PaymentInDoubt, PaymentUnavailable, RefundRefused: as in ``reverse_payment``.
    """
    payment = rows.read(payment_id)
    if payment.status in (*OPEN, *HELD):
        intent = calls.known_intent(payment, search=True)
        if intent is not None and not payment.provider_ref:
            records.note_intent(payment_id, intent)
        if intent is not None and intent.status is not IntentStatus.OPEN:
            # Recorded, which is all that was asked for.
            with suppress(CardDeclined, AuthorisationLost, PaymentNeedsAction):
                charging.learn(payment, intent)
    elif payment.status in (Status.REVERSING, Status.CANCELLED):
        late.check(payment_id)
    elif payment.status in (Status.SUCCEEDED, Status.REFUNDED):
        aftermath.learn(payment)
    return Status(rows.read(payment_id).status)


def sweep_late_successes(*, limit: int, seconds: float = math.inf) -> int:
    """Ask again about payments that were cancelled, and refund what was captured all the same.

    They are taken one by one: what this sweep does not come to, or dies before, stays due.

    Args:
        limit: payments to ask about at the most.
        seconds: after which no further payment is taken.

    Returns:
        How many payments were found captured and refunded.
    """
    refunded = 0
    until = time.monotonic() + seconds
    for _ in range(limit):
        taken = late.claim(limit=1)
        if not taken:
            break
        (payment_id,) = taken
        try:
            refunded += late.check(payment_id)
        except PaymentUnavailable as away:
            # The others would not reach the provider either.
            alerts.check_failed(rows.read(payment_id), away)
            break
        except Exception as error:  # noqa: BLE001  (one payment must not hold up the others)
            alerts.check_failed(rows.read(payment_id), error)
        if time.monotonic() > until:
            break
    return refunded
