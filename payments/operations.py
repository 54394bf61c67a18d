"""The rows of what is sent to the provider. Callers that change the payment hold its lock."""

from collections.abc import Mapping, Sequence

from django.db.models import BooleanField, Expression, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now

from payments.gateways.registry import key_horizon
from payments.models import (
    DATABASE,
    UNSETTLED,
    Kind,
    OperationStatus,
    Payment,
    PaymentOperation,
)
from sagas.participant import crash

#: Why an operation without an outcome was given up: its key may be forgotten by now.
KEY_TOO_OLD = "key-too-old"


def last(payment: Payment, kind: Kind) -> PaymentOperation | None:
    """Return the newest operation of a kind, or None, with ``is_young`` by the database's clock."""
    young = Q(created_at__gt=Now() - key_horizon(payment.provider))
    by_the_clock: Mapping[str, Expression] = {
        "is_young": ExpressionWrapper(young, output_field=BooleanField())
    }
    return (
        payment.operations.using(DATABASE)
        .filter(kind=kind)
        .annotate(**by_the_clock)
        .order_by("-generation")
        .first()
    )


def next_key(payment: Payment, kind: Kind) -> str:
    """Return the key under which the next call of a kind will be sent; nothing is changed."""
    before = last(payment, kind)
    if before and before.status in UNSETTLED and not _is_spent(before):
        return before.idempotency_key
    return _key(payment, kind, before.generation + 1 if before else 1)


def open_next(payment: Payment, kind: Kind) -> PaymentOperation:
    """Return the operation to send, with a key that can still get through.

    One without an outcome is sent again under its own key, unless that cannot tell any more
    what became of it: the provider keeps an error as the key's answer, or has forgotten the key.
    Then, and after a definite no, the next generation begins. Whoever sends it has asked the
    provider before what there is.
    """
    before = last(payment, kind)
    if before and before.status in UNSETTLED:
        if not _is_spent(before):
            return before
        fail(before, before.error_code if before.key_spent else KEY_TOO_OLD)
    return _create(payment, kind, before.generation + 1 if before else 1)


def open_first(payment: Payment, *kinds: Kind) -> Sequence[PaymentOperation]:
    """Return the first operation of each kind, of a payment that the caller has just made."""
    first = [_made(payment, kind, 1) for kind in kinds]
    return PaymentOperation.objects.using(DATABASE).bulk_create(first)


def _create(payment: Payment, kind: Kind, generation: int) -> PaymentOperation:
    operation = _made(payment, kind, generation)
    operation.save(using=DATABASE, force_insert=True)
    return operation


def _made(payment: Payment, kind: Kind, generation: int) -> PaymentOperation:
    amounts = {
        Kind.INTENT: payment.amount,
        Kind.CHARGE: payment.amount,
        Kind.CAPTURE: payment.amount,
        Kind.REFUND: payment.captured - payment.refunded,
        Kind.CANCEL: 0,
    }
    return PaymentOperation(
        payment=payment,
        kind=kind,
        generation=generation,
        idempotency_key=_key(payment, kind, generation),
        amount=amounts[kind],
    )


def _is_spent(last_one: PaymentOperation) -> bool:
    return last_one.key_spent or not last_one.is_young


def _key(payment: Payment, kind: Kind, generation: int) -> str:
    return f"makegood-{payment.pk}-{kind.value}-{generation}"


def doubt(operation: PaymentOperation, code: str, *, key_spent: bool) -> None:
    """Note that nobody knows what became of the operation, unless somebody does by now."""
    operations = _unsettled(operation)
    operations.update(status=OperationStatus.IN_DOUBT, error_code=code)
    if key_spent:  # once spent, a key stays so, whatever a later call was answered
        operations.update(key_spent=True)


def await_outcome(operation: PaymentOperation, ref: str) -> None:
    """Keep the provider's id of an operation that it has taken on, and not finished."""
    with crash.statement("payments.await_outcome", using=DATABASE):
        _unsettled(operation).update(status=OperationStatus.IN_DOUBT, provider_ref=ref)


def fail(operation: PaymentOperation, code: str) -> None:
    """Settle an operation that was definitely not done."""
    unsettled = _unsettled(operation)
    with crash.statement("payments.fail_operation", using=DATABASE):
        unsettled.update(status=OperationStatus.FAILED, error_code=code, settled_at=Now())


def settle_last(payment: Payment, kind: Kind, *, ref: str = "") -> None:
    """The last one succeeded, also if it had been given up before."""
    sent = payment.operations.using(DATABASE).filter(kind=kind).order_by("-generation")[:1]
    PaymentOperation.objects.using(DATABASE).filter(pk__in=sent.values("pk")).update(
        status=OperationStatus.SUCCEEDED, provider_ref=ref, settled_at=Now()
    )


def fail_last(payment: Payment, kind: Kind, code: str) -> None:
    """The last one was definitely not done, if it has no outcome yet."""
    if sent := last(payment, kind):
        fail(sent, code)


def _unsettled(operation: PaymentOperation) -> QuerySet[PaymentOperation]:
    return PaymentOperation.objects.using(DATABASE).filter(pk=operation.pk, status__in=UNSETTLED)
