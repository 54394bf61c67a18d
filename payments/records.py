"""What is known about the money, written down. Nothing in here calls the provider.

Each function is one short transaction that holds the payment's row lock. ``durable`` makes
sure that it is the outermost one: what was written is committed before a call goes out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models.functions import Now

from payments import operations, parts, receipts, rows
from payments.errors import (
    AuthorisationLost,
    PaymentInDoubt,
    PaymentMethodMissing,
    ProviderDisagrees,
)
from payments.gateways.port import Intent, Refund, RefundStatus
from payments.models import (
    DATABASE,
    HELD,
    OPEN,
    REVERSED,
    Kind,
    Payment,
    PaymentAction,
    PaymentMethod,
    PaymentOperation,
    Receipt,
    Status,
)
from payments.outbox import tell_of_capture, tell_of_refund
from sagas.participant import crash
from sagas.participant.receipts import AlreadyCompensated, do_known_once, undo_once

log = structlog.get_logger(__name__)

Result = Mapping[str, Any]

#: A cancelled payment is asked about again this much later for the first time.
FIRST_CHECK = timedelta(minutes=1)


# Doors that open and close ----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class FirstCalls:
    """What the attempt that began a charge sends; nobody else has sent any of it."""

    creation: PaymentOperation
    charge: PaymentOperation
    token: str = field(repr=False)


def begin_charge(
    *, saga_id: UUID, order_id: UUID, amount: int, currency: str, manual_capture: bool
) -> tuple[Payment, FirstCalls | None]:
    """Commit the payment, its intent's creation and its charge, each with its key.

    Returns:
        The payment, and what is to be sent if it was this call that began; None if one before may
        have sent it.

    Raises:
        AlreadyCompensated: the reversal came first.
        PaymentMethodMissing: there is nothing to charge.
    """
    first: FirstCalls | None = None
    payment = Payment(
        saga_id=saga_id,
        order_id=order_id,
        amount=amount,
        currency=currency,
        provider=settings.PAYMENT_PROVIDER,
        manual_capture=manual_capture,
    )

    def begin() -> None:
        nonlocal first
        token = token_of(saga_id)
        payment.save(using=DATABASE, force_insert=True)
        creation, charge = operations.open_first(payment, Kind.INTENT, Kind.CHARGE)
        first = FirstCalls(creation=creation, charge=charge, token=token)

    with crash.committing("payments.begin_charge", using=DATABASE, durable=True):
        begun = do_known_once(
            Receipt,
            using=DATABASE,
            saga_id=saga_id,
            step=receipts.INTENT_STEP,
            result={"payment_id": str(payment.pk)},
            effect=begin,
        )
    return (payment, first) if first else (rows.read(UUID(begun["payment_id"])), None)


def begin_reversal(*, saga_id: UUID) -> Payment | None:
    """Commit that no forward call may begin any more; None if none ever began."""

    def turn_back(begun: Result) -> Result:
        payment = rows.lock(UUID(begun["payment_id"]))
        before = payment.status
        if before == Status.REFUNDED:  # in the provider's dashboard
            receipts.write_undone(payment, {"refunded": payment.refunded})
            return begun
        payment.begin_reversal()
        rows.write(payment, before)
        return begun

    with crash.committing("payments.begin_reversal", using=DATABASE, durable=True):
        begun = undo_once(
            Receipt, using=DATABASE, saga_id=saga_id, step=receipts.INTENT_STEP, inverse=turn_back
        )
        if not begun:
            receipts.undo_receipt(saga_id, receipts.CHARGE_STEP, {})
    return rows.read(UUID(begun["payment_id"])) if begun else None


# Reading ----------------------------------------------------------------------------------


def token_of(saga_id: UUID) -> str:
    """Return the provider's token; PaymentMethodMissing if there is none."""
    method = PaymentMethod.objects.using(DATABASE).filter(pk=saga_id).first()
    if method is None:
        raise PaymentMethodMissing(f"checkout {saga_id} has no payment method")
    return method.token


# Going forward ----------------------------------------------------------------------------


def open_intent(payment_id: UUID) -> PaymentOperation | None:
    """Return the intent's creation to send, committed, the same for do and undo; None if made."""
    with rows.locked(payment_id, "payments.open_intent") as payment:
        return None if payment.provider_ref else operations.open_next(payment, Kind.INTENT)


def note_intent(payment_id: UUID, intent: Intent) -> None:
    """Keep the intent's id, so that it can be asked about whatever happens next."""
    with rows.locked(payment_id, "payments.note_intent") as payment:
        _keep_intent(payment, intent)


def _keep_intent(payment: Payment, intent: Intent) -> None:
    rows.must_agree(payment, intent)
    payment.provider_ref = intent.ref
    operations.settle_last(payment, Kind.INTENT, ref=intent.ref)


def begin_confirm(
    payment_id: UUID, made: Intent | None = None, first: FirstCalls | None = None
) -> tuple[str, PaymentOperation]:
    """Return the intent's id, and the charge to send, with a key that can still get through.

    Args:
        payment_id: whose charge.
        made: the intent, if its id is still to be kept.
        first: what this attempt began the charge with.

    Raises:
        AlreadyCompensated: the reversal has begun.
        PaymentInDoubt: another attempt has settled the payment in the meantime.
    """
    with rows.locked(payment_id, "payments.begin_confirm") as payment:
        if payment.status in REVERSED:
            raise AlreadyCompensated(f"payment {payment_id} is being reversed")
        if payment.status not in OPEN:
            raise PaymentInDoubt("another attempt has settled the payment")
        if made is not None:
            _keep_intent(payment, made)
        nobody_asked = payment.status == Status.CREATED
        payment.begin_confirm()
        if first and nobody_asked:
            return payment.provider_ref, first.charge
        return payment.provider_ref, operations.open_next(payment, Kind.CHARGE)


def require_action(payment_id: UUID, intent: Intent) -> None:
    """Keep what the shopper has to do, until the payment moves on."""
    with rows.locked(payment_id, "payments.require_action") as payment:
        rows.must_agree(payment, intent)
        if payment.status in OPEN and intent.action:
            payment.require_action()
            PaymentAction.objects.using(DATABASE).update_or_create(
                payment=payment, defaults=asdict(intent.action)
            )


def record_authorisation(payment_id: UUID, intent: Intent) -> Payment:
    """Record that the bank holds the money for us."""
    with rows.locked(payment_id, "payments.record_authorisation") as payment:
        rows.must_agree(payment, intent)
        if not payment.manual_capture:
            raise ProviderDisagrees(f"payment {payment_id}: authorised, not charged")
        if payment.status in OPEN:
            payment.authorise()
            operations.settle_last(payment, Kind.CHARGE, ref=intent.charge_ref)
            receipts.write_authorised(payment)
    return rows.read(payment_id)


def begin_capture(payment_id: UUID) -> PaymentOperation:
    """Return the capture to send, with a key that can still get through; raises as above."""
    with rows.locked(payment_id, "payments.begin_capture") as payment:
        if payment.status in REVERSED:
            raise AlreadyCompensated(f"payment {payment_id} is being reversed")
        if payment.status not in HELD:
            raise PaymentInDoubt("another attempt has settled the payment")
        payment.begin_capture()
        return operations.open_next(payment, Kind.CAPTURE)


def lose_authorisation(payment_id: UUID) -> Payment:
    """Record that the bank holds nothing for us any more."""
    with rows.locked(payment_id, "payments.lose_authorisation") as payment:
        if payment.status in HELD:
            payment.lose_authorisation(code=AuthorisationLost.code)
            operations.fail_last(payment, Kind.CAPTURE, AuthorisationLost.code)
    return rows.read(payment_id)


def lose_sight(payment_id: UUID) -> None:
    """Note that the outcome of the charge is unknown."""
    with rows.locked(payment_id, "payments.lose_sight") as payment:
        if payment.status in OPEN:
            payment.lose_sight()


def record_capture(payment_id: UUID, intent: Intent) -> Payment:
    """Record that the provider holds the money, wherever the payment stands."""
    with rows.locked(payment_id, "payments.record_capture") as payment:
        rows.must_agree(payment, intent)
        if intent.captured != payment.amount:
            raise ProviderDisagrees(f"payment {payment_id}: captured {intent.captured}")
        if payment.status in (*OPEN, *HELD):
            payment.succeed()
            operations.settle_last(payment, Kind.CHARGE, ref=intent.charge_ref)
            if payment.manual_capture:
                operations.settle_last(payment, Kind.CAPTURE, ref=intent.charge_ref)
            receipts.write_done(payment)
            tell_of_capture(payment)
        elif payment.status in (Status.REVERSING, Status.CANCELLED) and not payment.captured:
            if payment.status == Status.CANCELLED:
                # Its saga is at rest: from here on the sweep sees to it.
                payment.next_check_at = payment.next_check_at or Now()
            payment.succeed_late()
            operations.settle_last(payment, Kind.CHARGE, ref=intent.charge_ref)
            tell_of_capture(payment)
    return payment


def record_decline(payment_id: UUID, code: str) -> Payment:
    """Record a definite no to the charge."""
    with rows.locked(payment_id, "payments.record_decline") as payment:
        if payment.status in OPEN:
            payment.decline(code=code)
            operations.fail_last(payment, Kind.CHARGE, code)
    return rows.read(payment_id)


# Going back -------------------------------------------------------------------------------


def open_operation(payment_id: UUID, kind: Kind) -> PaymentOperation:
    """Return the operation to send, committed, with a key that can still get through.

    Raises:
        PaymentInDoubt: another attempt has settled the payment in the meantime.
    """
    with rows.locked(payment_id, "payments.open_operation") as payment:
        if payment.status != Status.REVERSING:
            raise PaymentInDoubt("another attempt has settled the payment")
        return operations.open_next(payment, kind)


def record_cancelled(payment_id: UUID) -> Payment:
    """Record that the provider takes no money for the intent any more."""
    with rows.locked(payment_id, "payments.record_cancelled") as payment:
        if payment.captured and payment.status == Status.REVERSING:
            raise ProviderDisagrees(f"payment {payment_id}: captured here, cancelled there")
        if payment.status == Status.REVERSING:
            payment.cancel()
            payment.cancelled_at = Now()
            payment.next_check_at = Now() + FIRST_CHECK
            operations.settle_last(payment, Kind.CANCEL)
            operations.fail_last(payment, Kind.CHARGE, "intent-cancelled")
            operations.fail_last(payment, Kind.CAPTURE, "intent-cancelled")
            receipts.write_undone(payment, {"cancelled": True})
    return rows.read(payment_id)


def record_refund(payment_id: UUID, refund_ref: str) -> Payment:
    """Record that the shopper has the whole amount back."""
    with rows.locked(payment_id, "payments.record_refund") as payment:
        if payment.status == Status.REVERSING:
            _refund_the_rest(payment, ref=refund_ref)
    return rows.read(payment_id)


def record_some_refunds(payment_id: UUID, made: Sequence[Refund]) -> None:
    """Record what went back before the reversal, or beside it; the rest is still to be refunded."""
    with rows.locked(payment_id, "payments.record_some_refunds") as payment:
        parts.must_be_recent(payment, made)
        parts.settle_in(payment, made)
        back = sum(each.amount for each in made if each.status is RefundStatus.SUCCEEDED)
        if payment.status == Status.REVERSING and back < payment.captured:
            parts.must_fit(payment, back)
            payment.refunded = back


def record_refund_by_hand(payment_id: UUID, reference: str) -> Payment:
    """Record that the whole amount went back outside of the provider."""
    with rows.locked(payment_id, "payments.record_refund_by_hand") as payment:
        if payment.status == Status.REVERSING and payment.captured:
            operation = operations.open_next(payment, Kind.REFUND)
            _refund_the_rest(payment, ref=f"by hand: {reference}"[:255])
            log.warning("refunded_by_hand", payment_id=str(payment_id), operation=str(operation.pk))
    return rows.read(payment_id)


def _refund_the_rest(payment: Payment, *, ref: str) -> None:
    rest = payment.captured - payment.refunded
    parts.give_up_in(payment)
    payment.refund()
    payment.next_check_at = None
    operations.settle_last(payment, Kind.REFUND, ref=ref)
    receipts.write_undone(payment, {"refunded": payment.refunded})
    tell_of_refund(payment, rest)


def note_doubt(operation: PaymentOperation, code: str, *, key_spent: bool) -> None:
    """Note that nobody knows what became of an operation."""
    with rows.locked(operation.payment_id, "payments.note_doubt") as payment:
        operations.doubt(operation, code, key_spent=key_spent)
        if operation.kind == Kind.CHARGE and payment.status in OPEN:
            payment.lose_sight()
