"""What the audit reads of payments, as they are written here."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q

from payments.models import DATABASE, Kind, OperationStatus, Payment, Receipt
from sagas.participant.among import SAGA_KEY, Among, SagaKey, touched


class AuditedPayment(NamedTuple):
    """A payment; amounts in minor units, and how many charges and refunds got through."""

    saga_id: SagaKey
    status: str
    amount: int
    captured: int
    refunded: int
    currency: str
    charges: int
    refunds: int


def audited_payments(*, among: Among) -> list[AuditedPayment]:
    """Return the payments of these sagas; Crowded if they are too many for one range."""
    rows = Payment.objects.using(DATABASE).order_by()
    counted = rows.annotate(charges=_done(Kind.CHARGE), refunds=_done(Kind.REFUND))
    read = counted.values_list(
        SAGA_KEY, "status", "amount", "captured", "refunded", "currency", "charges", "refunds"
    )  # fmt: skip
    return [AuditedPayment(*row) for row in among.rows(read)]


def lone_receipts(*, among: Among) -> list[SagaKey]:
    """Return those of these sagas that have receipts here and no payment."""
    payment = Payment.objects.using(DATABASE).filter(saga_id=OuterRef("saga_id"))
    receipts = Receipt.objects.using(DATABASE).filter(~Exists(payment))
    return [saga_id for (saga_id,) in among.rows(receipts.values_list(SAGA_KEY))]


def touched_payments(*, since: datetime, before: datetime) -> Iterator[Sequence[UUID]]:
    """Yield the sagas whose payments were written in that span of this database's time."""
    payments = Payment.objects.using(DATABASE)
    return touched(payments, when=F("updated_at"), since=since, before=before)


def _done(kind: Kind) -> Count:
    done = Q(operations__kind=kind, operations__status=OperationStatus.SUCCEEDED)
    return Count("operations", filter=done)
