"""The only door to payments: verbs beside their inverses.

A charge is an intent first: it is committed with its idempotency key, then the provider is
called, then the outcome is committed. No transaction is open while the provider is called,
and an unknown outcome is asked for before anything else is done.
"""

import math
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models.functions import Now

from payments import alerts, calls, charging, late, records, reversing
from payments.auditing import (
    AuditedPayment,
    audited_payments,
    lone_receipts,
    touched_payments,
)
from payments.errors import (
    CardDeclined,
    PaymentInDoubt,
    PaymentMethodMissing,
    PaymentRejected,
    PaymentUnavailable,
    ProviderDisagrees,
    RefundRefused,
)
from payments.gateways.port import IntentStatus
from payments.models import DATABASE, OPEN, REVERSED, Payment, PaymentMethod, Status
from payments.reading import (
    Money,
    PaymentStanding,
    money_of,
    sagas_with_ref,
    standing_of,
    standings,
)
from payments.reconciling import Disagreement, disagreements_of, spans, strangers
from sagas.participant import crash
from sagas.participant.receipts import AlreadyCompensated

__all__ = [
    "AuditedPayment",
    "CardDeclined",
    "Disagreement",
    "Money",
    "NotByHand",
    "PaymentInDoubt",
    "PaymentMethodMissing",
    "PaymentRejected",
    "PaymentStanding",
    "PaymentUnavailable",
    "ProviderDisagrees",
    "RefundRefused",
    "audited_payments",
    "charge_payment",
    "disagreements_of",
    "discard_method",
    "lone_receipts",
    "money_of",
    "purge_methods",
    "refund_by_hand",
    "register_method",
    "reverse_payment",
    "sagas_with_ref",
    "settle",
    "spans",
    "standing_of",
    "standings",
    "strangers",
    "sweep_late_successes",
    "touched_payments",
]

Result = Mapping[str, Any]


class NotByHand(Exception):
    """What is to be recorded by hand is not confirmed, or did not go wrong."""

    code = "not-by-hand"


def register_method(*, checkout_id: UUID, token: str) -> None:
    """Keep the provider's token for a checkout's payment; a repeat changes nothing."""
    with crash.committing("payments.register_method", using=DATABASE):
        PaymentMethod.objects.using(DATABASE).get_or_create(
            checkout_id=checkout_id, defaults={"token": token}
        )


def discard_method(*, checkout_id: UUID) -> None:
    """Forget the token; a charge that comes later is refused."""
    with crash.committing("payments.discard_method", using=DATABASE):
        PaymentMethod.objects.using(DATABASE).filter(checkout_id=checkout_id).delete()


def purge_methods(*, older_than: timedelta) -> int:
    """Delete tokens of that age, by the database's clock; return how many.

    No checkout is charged so late: its deadline lies hours, not days, after its start.
    """
    old = PaymentMethod.objects.using(DATABASE).filter(created_at__lt=Now() - older_than)
    with crash.committing("payments.purge_methods", using=DATABASE):
        deleted, _ = old.delete()
    return deleted


def charge_payment(*, saga_id: UUID, order_id: UUID | str, amount: int, currency: str) -> Result:
    """Charge the shopper once, however often this is called.

    Args:
        saga_id: the checkout, under whose id the payment method was registered.
        order_id: what is paid for.
        amount: minor units, more than 0.
        currency: ISO 4217.

    Returns:
        ``payment_id``, ``charged`` (minor units) and ``currency``.

    Raises:
        CardDeclined, PaymentMethodMissing: a definite no.
        AlreadyCompensated: the reversal came first.
        PaymentInDoubt: the outcome is unknown; a repeat asks.
        PaymentUnavailable: nothing was done; a repeat may get through.
        PaymentRejected, ProviderDisagrees: something is wrong with the set-up.
        ValueError: the amount is not positive.
    """
    if amount <= 0:
        raise ValueError("a charge must be over more than 0 minor units")
    done = records.charge_result(saga_id)
    if done is not None:
        return done
    payment, first = records.begin_charge(
        saga_id=saga_id, order_id=UUID(str(order_id)), amount=amount, currency=currency
    )
    if payment.status == Status.DECLINED:
        raise CardDeclined(payment.decline_code)
    charging.charge(payment, is_repeat=not first)
    done = records.charge_result(saga_id)
    if done is None:
        raise AlreadyCompensated(f"payment {payment.pk} is being reversed")
    return done


def reverse_payment(*, saga_id: UUID) -> Result:
    """Take the charge back, or make it impossible; safe to repeat at every point.

    Returns:
        ``{"refunded": minor units}``, ``{"cancelled": True}``, or ``{}`` when no charge was
        ever begun. In each case a charge that is begun later is refused.

    Raises:
        PaymentInDoubt: the outcome is unknown; a repeat asks.
        PaymentUnavailable: nothing was done; a repeat may get through.
        RefundRefused: a definite no; a repeat tries once more.
        PaymentRejected, ProviderDisagrees: something is wrong with the set-up.
    """
    payment = records.begin_reversal(saga_id=saga_id)
    if payment is None:
        return {}
    if payment.status == Status.REVERSING:
        reversing.finish(payment)
        payment = records.read(payment.pk)
    return {"refunded": payment.refunded} if payment.refunded else {"cancelled": True}


def refund_by_hand(*, saga_id: UUID, reference: str) -> Result:
    """Record that the shopper got the money back outside of the provider.

    Asks the provider first: what it has refunded is recorded as its own refund, and a charge
    that it does not confirm, or a refund that may still come through, is not overruled.

    Args:
        reference: where the money went, such as a bank's reference; no personal data.

    Returns:
        As ``reverse_payment``.

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
            return reverse_payment(saga_id=saga_id)
        records.record_refund_by_hand(payment.pk, reference)
    return reverse_payment(saga_id=saga_id)


def settle(*, payment_id: UUID) -> Status:
    """Ask the provider how a payment stands and record it; never asks for money.

    Returns:
        The payment's status afterwards. A payment that is being, or was, reversed is
        reversed to the end; one that was never confirmed stays as it is.

    Raises:
        PaymentInDoubt, PaymentUnavailable, RefundRefused: as in ``reverse_payment``.
    """
    payment = records.read(payment_id)
    if payment.status in OPEN and payment.provider_ref:
        intent = calls.intent_of(payment, ask_first=True)
        if intent.status is not IntentStatus.OPEN:
            with suppress(CardDeclined):  # recorded, which is all that was asked for
                charging.learn(payment, intent)
    elif payment.status in (Status.REVERSING, Status.CANCELLED):
        late.check(payment_id)
    return Status(records.read(payment_id).status)


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
            alerts.check_failed(records.read(payment_id), away)
            break
        except Exception as error:  # noqa: BLE001  (one payment must not hold up the others)
            alerts.check_failed(records.read(payment_id), error)
        if time.monotonic() > until:
            break
    return refunded
