"""What the audit reads of payments, as they are written here."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.contrib.postgres.aggregates import StringAgg
from django.db.models import Case, F, OuterRef, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce

from payments.gateways.port import RefundStatus
from payments.models import (
    DATABASE,
    OperationStatus,
    Payment,
    PaymentOperation,
    ProviderMovement,
    Receipt,
)
from sagas.participant.among import SAGA_KEY, Among, SagaKey, touched


class AuditedPayment(NamedTuple):
    """A payment; amounts in minor units.

    ``elsewhere`` is what somebody gave back past us, such as in the provider's dashboard; ``done``
    has the kinds of what got through.
    """

    saga_id: SagaKey
    status: str
    amount: int
    captured: int
    refunded: int
    elsewhere: int
    currency: str
    done: str | None


_REFUNDS_ELSEWHERE = ProviderMovement.objects.using(DATABASE).filter(
    payment=OuterRef("pk"),
    kind=ProviderMovement.Kind.REFUND,
    is_ours=False,
    status=RefundStatus.SUCCEEDED.value,
)
#: Looked for only where something went back, which is rare.
_ELSEWHERE = Case(
    When(
        refunded__gt=0,
        then=Coalesce(
            Subquery(
                _REFUNDS_ELSEWHERE.order_by()
                .values("payment")
                .annotate(total=Sum("amount"))
                .values("total")
            ),
            Value(0),
        ),
    ),
    default=Value(0),
)


def audited_payments(*, among: Among) -> list[AuditedPayment]:
    """Return the payments of these sagas; Crowded if they are too many for one range."""
    # By an index for each payment: a join would read all operations for every page.
    of_one = PaymentOperation.objects.using(DATABASE).filter(payment=OuterRef("pk")).order_by()
    through = of_one.filter(status=OperationStatus.SUCCEEDED).values("payment")
    done = Subquery(through.annotate(kinds=StringAgg("kind", " ")).values("kinds"))
    rows = Payment.objects.using(DATABASE).order_by().annotate(done=done, elsewhere=_ELSEWHERE)
    read = rows.values_list(
        SAGA_KEY, "status", "amount", "captured", "refunded", "elsewhere", "currency", "done"
    )
    return [AuditedPayment(*row) for row in among.rows(read)]


def lone_receipts(*, among: Among) -> list[SagaKey]:
    """Return those of these sagas that have receipts here and no payment."""
    beside = Payment.objects.using(DATABASE)
    return among.lone(Receipt.objects.using(DATABASE), beside=beside)


def touched_payments(*, since: datetime, before: datetime) -> Iterator[Sequence[UUID]]:
    """Yield the sagas whose payments were written in that span of this database's time."""
    payments = Payment.objects.using(DATABASE)
    return touched(payments, when=F("updated_at"), since=since, before=before)
