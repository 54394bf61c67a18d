"""The only door to payments: verbs beside their inverses.

A charge is an intent first: it is committed with its idempotency key, then the provider is
called, then the outcome is committed. No transaction is open while the provider is called,
and an unknown outcome is asked for before anything else is done.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models.functions import Now

from payments import (
    charging,
    events,
    listener,
    partial,
    receipts,
    records,
    reversing,
    rows,
)
from payments.auditing import (
    AuditedPayment,
    audited_payments,
    lone_receipts,
    touched_payments,
)
from payments.errors import (
    AuthorisationLost,
    CardDeclined,
    NotRefundable,
    PaymentInDoubt,
    PaymentMethodMissing,
    PaymentNeedsAction,
    PaymentRejected,
    PaymentUnavailable,
    ProviderDisagrees,
    RefundPending,
    RefundRefused,
)
from payments.gateways.port import WebhookRefused
from payments.mending import NotByHand, refund_by_hand, settle, sweep_late_successes
from payments.models import (
    DATABASE,
    PartialRefund,
    PartStatus,
    Payment,
    PaymentMethod,
    Status,
)
from payments.reading import (
    Money,
    PaymentStanding,
    action_of,
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
    "AuthorisationLost",
    "CardDeclined",
    "Disagreement",
    "Money",
    "NotByHand",
    "NotRefundable",
    "NothingAuthorised",
    "PaymentInDoubt",
    "PaymentMethodMissing",
    "PaymentNeedsAction",
    "PaymentRejected",
    "PaymentStanding",
    "PaymentUnavailable",
    "ProviderDisagrees",
    "RefundPending",
    "RefundRefused",
    "WebhookRefused",
    "action_of",
    "audited_payments",
    "authorise_payment",
    "capture_payment",
    "charge_payment",
    "disagreements_of",
    "discard_method",
    "events_due",
    "lone_receipts",
    "money_of",
    "part_stands",
    "process_event",
    "purge_events",
    "purge_methods",
    "receive_event",
    "refund_by_hand",
    "refund_part",
    "register_method",
    "reverse_payment",
    "sagas_with_ref",
    "settle",
    "spans",
    "standing_of",
    "standings",
    "stop_refund",
    "strangers",
    "sweep_late_successes",
    "touched_payments",
]

Result = Mapping[str, Any]


class NothingAuthorised(Exception):
    """A capture was asked for that nothing was authorised for: a mistake of the caller."""

    code = "nothing-authorised"


def register_method(*, checkout_id: UUID, token: str) -> None:
    """Keep the provider's token for a checkout's payment; a repeat changes nothing."""
    method = PaymentMethod(checkout_id=checkout_id, token=token)
    with crash.committing("payments.register_method", using=DATABASE):
        PaymentMethod.objects.using(DATABASE).bulk_create([method], ignore_conflicts=True)


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
        PaymentNeedsAction: the shopper has to authenticate; a repeat asks whether they did.
        AlreadyCompensated: the reversal came first.
        PaymentInDoubt: the outcome is unknown; a repeat asks.
        PaymentUnavailable: nothing was done; a repeat may get through.
        PaymentRejected, ProviderDisagrees: something is wrong with the set-up.
        ValueError: the amount is not positive.
    """
    return _take(
        receipts.CHARGE_STEP, saga_id=saga_id, order_id=order_id, amount=amount, currency=currency
    )


def authorise_payment(*, saga_id: UUID, order_id: UUID | str, amount: int, currency: str) -> Result:
    """Let the bank hold the money for us, once; ``capture_payment`` takes it.

    Arguments and exceptions are those of ``charge_payment``.

    Returns:
        ``payment_id``, ``authorised`` (minor units) and ``currency``.
    """
    return _take(
        receipts.AUTHORISE_STEP,
        saga_id=saga_id,
        order_id=order_id,
        amount=amount,
        currency=currency,
    )


def capture_payment(*, saga_id: UUID) -> Result:
    """Take the whole authorised amount, once.

    Returns:
        ``payment_id``, ``charged`` (minor units) and ``currency``.

    Raises:
        AuthorisationLost: a definite no: the bank holds the money no longer.
        NothingAuthorised: the checkout has no authorisation.
        AlreadyCompensated: the reversal came first.
        PaymentInDoubt, PaymentUnavailable, PaymentRejected, ProviderDisagrees: as above.
    """
    done = receipts.result_of(saga_id, receipts.CAPTURE_STEP)
    if done is not None:
        return done
    if receipts.result_of(saga_id, receipts.AUTHORISE_STEP) is None:
        raise NothingAuthorised(f"checkout {saga_id} has no authorisation")
    payment = Payment.objects.using(DATABASE).get(saga_id=saga_id)
    if payment.status == Status.DECLINED:
        raise AuthorisationLost(f"the authorisation of payment {payment.pk} is gone")
    return _result_of(charging.capture(payment), receipts.CAPTURE_STEP)


def _take(step: str, *, saga_id: UUID, order_id: UUID | str, amount: int, currency: str) -> Result:
    if amount <= 0:
        raise ValueError("a charge must be over more than 0 minor units")
    payment, first = records.begin_charge(
        saga_id=saga_id,
        order_id=UUID(str(order_id)),
        amount=amount,
        currency=currency,
        manual_capture=step == receipts.AUTHORISE_STEP,
    )
    if first is None and (done := receipts.result_of(saga_id, step)) is not None:
        return done
    if payment.status == Status.DECLINED:
        raise CardDeclined(payment.decline_code)
    return _result_of(charging.charge(payment, first), step)


def _result_of(payment: Payment, step: str) -> Result:
    """Return the result of a step whose outcome was recorded just now."""
    reached = Status.AUTHORISED if step == receipts.AUTHORISE_STEP else Status.SUCCEEDED
    if payment.status == reached:  # its receipt was committed with this status
        return receipts.result_for(payment, step)
    done = receipts.result_of(payment.saga_id, step)
    if done is None:
        raise AlreadyCompensated(f"the payment of {payment.saga_id} is being reversed")
    return done


def reverse_payment(*, saga_id: UUID) -> Result:
    """Take the charge back, or make it impossible; safe to repeat at every point.

    The inverse of ``charge_payment``, of ``authorise_payment`` and of ``capture_payment``: what was
    captured is refunded; an authorisation is voided, which costs no fee; else the intent is
    cancelled.

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
        payment = rows.read(payment.pk)
    return {"refunded": payment.refunded} if payment.refunded else {"cancelled": True}


def refund_part(*, saga_id: UUID, checkout_id: UUID, amount: int) -> Result:
    """Give a part of a checkout's captured money back, once for each saga that asks.

    Args:
        saga_id: the return, under whose id it is done once.
        checkout_id: whose payment.
        amount: minor units, more than 0.

    Returns:
        ``refund_id``, ``refunded`` (minor units, this part) and ``currency``.

    Raises:
        NotRefundable: so much is not held, or is being given back already; a definite no.
        RefundRefused: the provider's, or the bank's, definite no.
        RefundPending: the bank takes its time.
        AlreadyCompensated: it was stopped.
        PaymentInDoubt: the outcome is unknown; a repeat asks.
        PaymentUnavailable: nothing was done; a repeat may get through.
        ValueError: the amount is not positive.
    """
    if amount <= 0:
        raise ValueError("a refund must be over more than 0 minor units")
    return partial.give_back(saga_id=saga_id, checkout_id=checkout_id, amount=amount)


def stop_refund(*, saga_id: UUID) -> Result:
    """Keep a partial refund from being made, or find out that it was; safe to repeat.

    The undo of ``refund_part``. A call that some frozen process still sends afterwards may get
    through: it is recorded when its webhook, or the audit, tells of it, with an alert.

    Returns:
        ``{"stopped": minor units}``; ``{"stands": minor units}`` if it went through, which cannot
        be undone; ``{}`` when none was ever begun. None will be from now on.

    Raises:
        PaymentInDoubt, PaymentUnavailable: a repeat asks again.
    """
    return partial.stop(saga_id=saga_id)


def part_stands(*, saga_id: UUID) -> bool:
    """Tell whether the partial refund of this saga is recorded as made."""
    parts = PartialRefund.objects.using(DATABASE).filter(saga_id=saga_id)
    return parts.filter(status=PartStatus.SUCCEEDED).exists()


def receive_event(*, provider: str, body: bytes, headers: Mapping[str, str]) -> UUID | None:
    """Verify a webhook of ``provider`` and keep it once.

    Args:
        body: as it came, byte for byte.
        headers: of the request.

    Returns:
        What ``process_event`` is to be called with; None if that was done already.

    Raises:
        WebhookRefused: it proves nothing; nothing was kept.
    """
    return events.receive(provider=provider, body=body, headers=headers)


def process_event(*, event_id: UUID) -> None:
    """Ask the provider about what an event hints at, record it, and tell whoever waits."""
    changed = events.process(event_id)
    if changed is not None:
        listener.payment_changed(changed)


def events_due(*, limit: int) -> Sequence[UUID]:
    """Return events whose message was lost, or whose provider did not answer, oldest first."""
    return events.due(limit=limit)


def purge_events(*, older_than: timedelta) -> int:
    """Delete processed events of that age, by the database's clock; return how many."""
    return events.purge(older_than=older_than)
