"""Backward: refund what was captured; else cancel the intent, so that no late success can come."""

from payments import calls, operations, records
from payments.errors import PaymentInDoubt, PaymentRejected, RefundRefused
from payments.gateways.port import Intent, IntentStatus, Refund, RefundStatus, UnexpectedState
from payments.gateways.registry import gateway
from payments.models import UNSETTLED, Kind, Payment, PaymentOperation, Status
from sagas.participant import crash

#: Nothing was captured, and still could be.
_CANCELLABLE = (
    IntentStatus.OPEN,
    IntentStatus.DECLINED,
    IntentStatus.REQUIRES_ACTION,
    IntentStatus.AUTHORISED,
)


def finish(payment: Payment) -> None:
    """Ask the provider how a payment that is being reversed stands, and undo what is left.

    Raises:
        PaymentInDoubt, PaymentUnavailable: try again later; nothing is lost.
        RefundRefused: a definite no.
    """
    undo(payment, calls.intent_of(payment, ask_first=True))


def learn(payment: Payment, intent: Intent) -> None:
    """Record what has become of a reversal by now; asks for nothing to be done.

    Raises:
        PaymentInDoubt: a refund is not through yet.
        RefundRefused: it failed at the bank.
    """
    match intent.status:
        case IntentStatus.CANCELLED:
            records.record_cancelled(payment.pk)
        case IntentStatus.SUCCEEDED:
            _was_refunded(records.record_capture(payment.pk, intent))


def undo(payment: Payment, intent: Intent) -> None:
    """Undo the payment, its intent being as given; raises as ``finish``."""
    if intent.status in _CANCELLABLE:
        intent = _cancel(payment, intent.ref)
    match intent.status:
        case IntentStatus.CANCELLED:
            records.record_cancelled(payment.pk)
        case IntentStatus.SUCCEEDED:
            held = records.record_capture(payment.pk, intent)
            if held.status == Status.REVERSING:
                _refund(held)
        case _:
            raise PaymentInDoubt(f"the provider says that the charge is {intent.status}")


def _cancel(payment: Payment, ref: str) -> Intent:
    operation = records.open_operation(payment.pk, Kind.CANCEL)
    with calls.sending(operation):
        try:
            with crash.calling("payments.cancel"):
                return gateway(payment.provider).cancel(ref=ref, key=operation.idempotency_key)
        except UnexpectedState as found:
            operations.fail(operation, found.code)
            return found.intent


def _refund(payment: Payment) -> None:
    if _was_refunded(payment):
        return
    operation = records.open_operation(payment.pk, Kind.REFUND)
    try:
        with calls.sending(operation), crash.calling("payments.refund"):
            refund = gateway(payment.provider).refund(
                ref=payment.provider_ref,
                key=operation.idempotency_key,
                amount=operation.amount,
                operation_id=str(operation.pk),
            )
    except PaymentRejected as no:
        # Also the answer to a second refund: another attempt may have made the first.
        if _was_refunded(payment):
            return
        raise RefundRefused(f"the provider refused the refund of payment {payment.pk}") from no
    operations.await_outcome(operation, refund.ref)
    _learn(payment, operation, refund)


def _was_refunded(payment: Payment) -> bool:
    """Ask for the refunds that were made before, by us or by hand, and record a full one."""
    with calls.asking(), crash.calling("payments.refunds_of"):
        made = gateway(payment.provider).refunds_of(ref=payment.provider_ref)
    succeeded = [refund for refund in made if refund.status is RefundStatus.SUCCEEDED]
    if sum(refund.amount for refund in succeeded) >= payment.captured:
        records.record_refund(payment.pk, succeeded[0].ref)
        return True
    if succeeded:
        records.record_some_refunds(payment.pk, made)
    sent = operations.last(payment, Kind.REFUND)
    for refund in made:
        if sent and sent.status in UNSETTLED and refund.operation_id == str(sent.pk):
            _learn(payment, sent, refund)
        elif refund.status is RefundStatus.PENDING:
            raise PaymentInDoubt(f"a refund of payment {payment.pk} is not through yet")
    return False


def _learn(payment: Payment, operation: PaymentOperation, refund: Refund) -> None:
    match refund.status:
        case RefundStatus.SUCCEEDED:
            records.record_refund(payment.pk, refund.ref)
        case RefundStatus.PENDING:
            raise PaymentInDoubt(f"the refund of payment {payment.pk} is not through yet")
        case RefundStatus.FAILED:
            operations.fail(operation, "refund-failed")
            raise RefundRefused(f"the refund of payment {payment.pk} failed at the bank")
