"""A payment's row: read, locked, written. Whoever writes it holds its lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db.models.functions import Now

from payments.errors import ProviderDisagrees
from payments.gateways.port import Intent
from payments.models import DATABASE, Payment, PaymentAction, Status
from sagas.participant import crash

_CHANGING = (
    "provider_ref",
    "status",
    "captured",
    "refunded",
    "refund_pending",
    "disputed",
    "decline_code",
    "updated_at",
    "cancelled_at",
    "next_check_at",
)


def read(payment_id: UUID) -> Payment:
    """Return the payment as it is now."""
    return Payment.objects.using(DATABASE).get(pk=payment_id)


def lock(payment_id: UUID) -> Payment:
    """Lock the row inside the caller's transaction."""
    return Payment.objects.using(DATABASE).select_for_update().get(pk=payment_id)


def write(payment: Payment, before: str) -> None:
    """Write a locked row; ``before`` is the status that it had when it was read."""
    payment.updated_at = Now()
    payment.save(using=DATABASE, update_fields=_CHANGING)
    if before == Status.REQUIRES_ACTION != payment.status:
        PaymentAction.objects.using(DATABASE).filter(payment=payment).delete()


@contextmanager
def locked(payment_id: UUID, point: str) -> Iterator[Payment]:
    """Hold the payment's row lock in a transaction whose commit is ``point``; then write it."""
    with crash.committing(point, using=DATABASE, durable=True):
        payment = lock(payment_id)
        before = payment.status
        yield payment
        write(payment, before)


def must_agree(payment: Payment, intent: Intent) -> None:
    """Refuse an intent over another amount or currency than the payment, or another intent."""
    known = payment.provider_ref or intent.ref
    if (intent.ref, intent.amount, intent.currency) != (known, payment.amount, payment.currency):
        raise ProviderDisagrees(
            f"payment {payment.pk}: the provider's intent {intent.ref} is over "
            f"{intent.amount} {intent.currency}"
        )
