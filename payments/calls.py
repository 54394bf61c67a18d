"""Calls to the provider, and what their faults mean to a payment."""

from collections.abc import Iterator
from contextlib import contextmanager

from payments import operations, records
from payments.errors import PaymentInDoubt, PaymentRejected, PaymentUnavailable
from payments.gateways.port import InDoubt, Intent, Rejected, Unavailable
from payments.gateways.registry import gateway
from payments.models import Payment, PaymentOperation
from sagas.participant import crash


def intent_of(payment: Payment, *, ask_first: bool) -> Intent:
    """Return the payment's intent as the provider has it, made if there is none; keep its id.

    Do and undo create it under the same key, so that both get the same intent whichever comes
    first: what the undo cancels is what a frozen worker would confirm.

    Args:
        payment: whose intent.
        ask_first: whether an attempt before this one may have made it.
    """
    provider = gateway(payment.provider)
    with asking():
        if payment.provider_ref:
            with crash.calling("payments.look_up"):
                return provider.look_up(ref=payment.provider_ref)
        payment_id = str(payment.pk)
        # The provider forgets keys in time, but not metadata.
        intent = None
        if ask_first:
            with crash.calling("payments.find_intent"):
                intent = provider.find(payment_id=payment_id)
        if intent is None:
            with crash.calling("payments.create_intent"):
                intent = provider.create_intent(
                    key=payment.intent_key,
                    payment_id=payment_id,
                    amount=payment.amount,
                    currency=payment.currency,
                )
    records.note_intent(payment.pk, intent)
    return intent


@contextmanager
def asking() -> Iterator[None]:
    """Raise what a fault in a question, which moves no money, means to the payment."""
    try:
        yield
    except InDoubt as doubt:
        raise PaymentInDoubt(f"the provider could not be asked: {doubt}") from doubt
    except Unavailable as away:
        raise PaymentUnavailable("the provider cannot be reached") from away
    except Rejected as no:
        raise PaymentRejected(f"the provider rejected the request: {no}") from no


@contextmanager
def sending(operation: PaymentOperation) -> Iterator[None]:
    """The same for a call that moves money; the fault is written down first."""
    try:
        yield
    except InDoubt as doubt:
        records.note_doubt(operation, doubt.code, key_spent=doubt.answered)
        raise PaymentInDoubt(f"the outcome of the {operation.kind} is unknown: {doubt}") from doubt
    except Unavailable as away:
        raise PaymentUnavailable("the provider cannot be reached") from away
    except Rejected as no:
        operations.fail(operation, no.code)
        raise PaymentRejected(f"the provider rejected the {operation.kind}: {no}") from no
