"""The rows of partial refunds. Callers that change the payment hold its lock.

The amount is set aside first, so that the database refuses what would give back more than was
captured. Nothing in here calls the provider.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet
from django.db.models.functions import Now

from payments import alerts, receipts, rows
from payments.errors import NotRefundable, PaymentInDoubt
from payments.gateways.port import Refund, RefundStatus
from payments.gateways.registry import key_horizon
from payments.models import DATABASE, PartialRefund, PartStatus, Payment, Receipt, Status
from payments.outbox import tell_of_refund
from sagas.participant import crash
from sagas.participant.receipts import do_known_once, do_once, undo_once

Result = Mapping[str, Any]


def read(part_id: UUID) -> PartialRefund:
    """Return the part as it is now, with its payment."""
    return PartialRefund.objects.using(DATABASE).select_related("payment").get(pk=part_id)


def begin(*, saga_id: UUID, checkout_id: UUID, amount: int) -> tuple[PartialRefund, bool]:
    """Commit the part and set its amount aside; the flag says whether this call did.

    Raises:
        NotRefundable: so much is not left.
        AlreadyCompensated: it was stopped before it began.
    """
    is_first = False

    def effect() -> Result:
        nonlocal is_first
        is_first = True
        payments = Payment.objects.using(DATABASE).select_for_update()
        payment = payments.filter(saga_id=checkout_id).first()
        if payment is None or payment.status != Status.SUCCEEDED:
            raise NotRefundable(f"checkout {checkout_id} has no captured payment")
        left = payment.captured - payment.refunded - payment.refund_pending
        if amount > left:
            raise NotRefundable(f"{left} {payment.currency} are left to give back")
        payment.refund_pending += amount
        rows.write(payment, payment.status)
        part = PartialRefund.objects.using(DATABASE).create(
            payment=payment, saga_id=saga_id, amount=amount
        )
        return {"part_id": str(part.pk)}

    with crash.committing("payments.begin_part", using=DATABASE, durable=True):
        begun = do_once(
            Receipt, using=DATABASE, saga_id=saga_id, step=receipts.BEGIN_PART_STEP, effect=effect
        )
    return read(UUID(begun["part_id"])), is_first


def begin_stop(*, saga_id: UUID) -> PartialRefund | None:
    """Commit that the part is not asked for any more; None if it never was, and never will be."""
    with crash.committing("payments.stop_part", using=DATABASE, durable=True):
        begun = undo_once(
            Receipt,
            using=DATABASE,
            saga_id=saga_id,
            step=receipts.BEGIN_PART_STEP,
            inverse=lambda begun: begun,
        )
        if not begun:
            receipts.undo_receipt(saga_id, receipts.PART_STEP, {})
    return read(UUID(begun["part_id"])) if begun else None


def open_next(part: PartialRefund) -> PartialRefund:
    """Return the part with a key that can still get through; the provider was asked before.

    Raises:
        AlreadyCompensated: it was stopped.
        PaymentInDoubt: another attempt has settled it, or the whole payment goes back.
    """
    with crash.committing("payments.open_part", using=DATABASE, durable=True):
        payment = rows.lock(part.payment_id)
        receipts.result_of(part.saga_id, receipts.BEGIN_PART_STEP)
        mine = _pending(part)
        if payment.status != Status.SUCCEEDED or not mine.exists():
            raise PaymentInDoubt("another attempt has settled the payment, or is about to")
        young = mine.filter(key_spent=False, key_since__gt=Now() - key_horizon(payment.provider))
        if not young.exists():
            mine.update(generation=F("generation") + 1, key_since=Now(), key_spent=False)
    return read(part.pk)


def doubt(part: PartialRefund, code: str, *, key_spent: bool) -> None:
    """Note that nobody knows what became of it; once spent, a key stays so."""
    noted = {"error_code": code, **({"key_spent": True} if key_spent else {})}
    with crash.statement("payments.doubt_part", using=DATABASE):
        _pending(part).update(**noted)


def record(part: PartialRefund, ref: str) -> None:
    """Record that the shopper has the part back."""
    with rows.locked(part.payment_id, "payments.record_part") as payment:
        _succeed_in(payment, read(part.pk), ref)


def fail(part: PartialRefund, code: str) -> None:
    """Settle a part that was definitely not given back, and free what was set aside for it."""
    with rows.locked(part.payment_id, "payments.fail_part") as payment:
        failed = _pending(part).update(status=PartStatus.FAILED, error_code=code, settled_at=Now())
        payment.refund_pending -= part.amount if failed else 0


def settle_in(payment: Payment, made: Iterable[Refund]) -> None:
    """Settle our own parts by the provider's list of refunds; the caller holds the lock.

    One that was given up and came through all the same is recorded, and raises an alert.
    """
    parts = {str(part.pk): part for part in payment.parts.using(DATABASE).all()}
    for refund in made:
        part = parts.get(refund.operation_id)
        if part is not None and refund.status is RefundStatus.SUCCEEDED:
            _succeed_in(payment, part, refund.ref)


def must_be_recent(payment: Payment, made: Sequence[Refund]) -> None:
    """Refuse a list of refunds that is older than our own books.

    Raises:
        PaymentInDoubt: a part that went through is not on it; a later list will have it.
    """
    through = payment.parts.using(DATABASE).filter(status=PartStatus.SUCCEEDED)
    if set(through.values_list("provider_ref", flat=True)) - {refund.ref for refund in made}:
        raise PaymentInDoubt(f"the refunds of payment {payment.pk} were listed too early")


def must_fit(payment: Payment, given_back: int) -> None:
    """Let what was given back elsewhere wait while a part is under way that does not fit beside.

    Raises:
        PaymentInDoubt: the provider is about to refuse the part; afterwards all of it fits.
    """
    if given_back + payment.refund_pending > payment.captured:
        raise PaymentInDoubt(f"a part of payment {payment.pk} is under way that does not fit")


def give_up_in(payment: Payment) -> None:
    """The whole payment went back, so no part of it will; the caller holds the lock."""
    pending = payment.parts.using(DATABASE).filter(status=PartStatus.PENDING)
    pending.update(status=PartStatus.FAILED, error_code="payment-refunded", settled_at=Now())
    payment.refund_pending = 0


def _succeed_in(payment: Payment, part: PartialRefund, ref: str) -> None:
    if part.status == PartStatus.SUCCEEDED:
        return
    was_given_up = part.status == PartStatus.FAILED
    part.status, part.provider_ref, part.settled_at = PartStatus.SUCCEEDED, ref, Now()
    part.save(using=DATABASE, update_fields=["status", "provider_ref", "settled_at"])
    if was_given_up:  # the sum of the list that told of it has it already
        alerts.part_came_late(payment, part)
        return
    payment.refund_pending -= part.amount
    if payment.status == Status.SUCCEEDED and payment.refunded + part.amount == payment.captured:
        payment.refund()
    else:
        payment.refunded += part.amount
    result = {"refund_id": str(part.pk), "refunded": part.amount, "currency": payment.currency}
    do_known_once(
        Receipt, using=DATABASE, saga_id=part.saga_id, step=receipts.PART_STEP, result=result
    )
    tell_of_refund(payment, part.amount)


def _pending(part: PartialRefund) -> QuerySet[PartialRefund]:
    return PartialRefund.objects.using(DATABASE).filter(pk=part.pk, status=PartStatus.PENDING)
