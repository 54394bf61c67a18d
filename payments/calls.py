"""Calls to the provider, and what their faults mean to a payment."""

from collections.abc import Iterator
from contextlib import contextmanager

from payments import operations, records, rows
from payments.errors import PaymentInDoubt, PaymentRejected, PaymentUnavailable
from payments.gateways.port import InDoubt, Intent, Rejected, Unavailable
from payments.gateways.registry import gateway
from payments.models import Payment, PaymentOperation
from sagas.participant import crash


def intent_of(payment: Payment, *, ask_first: bool) -> Intent:
    """Return the payment's intent as the provider has it, made if there is none; keep its id.

    Do and undo create it under the same key, so that both get the same intent whichever comes
    first: what the undo cancels is what a frozen worker would confirm. Past the key's time two
    intents may come to be; only the one whose id is kept here is ever confirmed.

    Args:
        payment: whose intent.
        ask_first: whether an attempt before this one may have made it.
    """
    intent = known_intent(payment, search=ask_first)
    if payment.provider_ref and intent is not None:
        return intent
    if intent is None:
        operation = records.open_intent(payment.pk)
        if operation is None:  # another attempt was faster
            return intent_of(rows.read(payment.pk), ask_first=False)
        intent = create_intent(payment, operation)
    records.note_intent(payment.pk, intent)
    return intent


def create_intent(payment: Payment, operation: PaymentOperation) -> Intent:
    """Let the provider make the payment's intent; the caller keeps its id."""
    with sending(operation), crash.calling("payments.create_intent"):
        return gateway(payment.provider).create_intent(
            key=operation.idempotency_key,
            payment_id=str(payment.pk),
            amount=payment.amount,
            currency=payment.currency,
            manual_capture=payment.manual_capture,
        )


def known_intent(payment: Payment, *, search: bool) -> Intent | None:
    """Return the payment's intent as the provider has it, None if none is found; makes none.

    Args:
        payment: whose intent.
        search: whether to look for one whose id was never kept here: the provider forgets keys
            in time, but not metadata.
    """
    provider = gateway(payment.provider)
    with asking():
        if payment.provider_ref:
            with crash.calling("payments.look_up"):
                return provider.look_up(ref=payment.provider_ref)
        if not search:
            return None
        with crash.calling("payments.find_intent"):
            return provider.find(payment_id=str(payment.pk))


@contextmanager
def asking() -> Iterator[None]:
    """Raise what a fault in a question, which moves no money, means to the payment."""
    try:
        yield
    except InDoubt as doubt:
        words = f"the provider could not be asked: {doubt}"
        raise PaymentInDoubt(words, retry_after=doubt.retry_after) from doubt
    except Unavailable as away:
        raise PaymentUnavailable("the provider cannot be reached") from away
    except Rejected as no:
        raise PaymentRejected(f"the provider rejected the request: {no}") from no


@contextmanager
def sending(operation: PaymentOperation) -> Iterator[None]:
    """The same for a call that changes something; the fault is written down first."""
    try:
        yield
    except InDoubt as doubt:
        records.note_doubt(operation, doubt.code, key_spent=doubt.answered)
        words = f"the outcome of the {operation.kind} is unknown: {doubt}"
        raise PaymentInDoubt(words, retry_after=doubt.retry_after) from doubt
    except Unavailable as away:
        raise PaymentUnavailable("the provider cannot be reached") from away
    except Rejected as no:
        operations.fail(operation, no.code)
        raise PaymentRejected(f"the provider rejected the {operation.kind}: {no}") from no
