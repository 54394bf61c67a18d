"""What is written here of the money of checkouts. Nothing in here calls the provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings

from payments import operations
from payments.models import DATABASE, Kind, Payment, Status


@dataclass(frozen=True, kw_only=True)
class PaymentStanding:
    """A payment as it is written here; ``next_keys`` has the key of the next call of each kind."""

    payment_id: UUID
    status: Status
    amount: int
    captured: int
    refunded: int
    currency: str
    provider_ref: str
    in_doubt: bool
    updated_at: datetime
    next_keys: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Money:
    """What became of a checkout's money so far, in minor units of ``currency``.

    ``currency`` is empty when no payment was ever begun. ``in_doubt`` tells that the provider
    may hold more than ``captured`` says.
    """

    captured: int = 0
    refunded: int = 0
    currency: str = ""
    in_doubt: bool = False


def standing_of(*, saga_id: UUID) -> PaymentStanding | None:
    """Return the payment of a checkout as it is written here, None if none was begun."""
    payment = Payment.objects.using(DATABASE).filter(saga_id=saga_id).first()
    if payment is None:
        return None
    return PaymentStanding(
        payment_id=payment.pk,
        status=Status(payment.status),
        amount=payment.amount,
        captured=payment.captured,
        refunded=payment.refunded,
        currency=payment.currency,
        provider_ref=payment.provider_ref,
        in_doubt=_is_in_doubt(payment),
        updated_at=payment.updated_at,
        next_keys={kind.value: operations.next_key(payment, kind) for kind in Kind},
    )


def standings(*, saga_ids: Sequence[UUID]) -> Mapping[UUID, Money]:
    """Return the money of many checkouts, with one query."""
    rows = Payment.objects.using(DATABASE).filter(saga_id__in=saga_ids)
    return {row.saga_id: _money(row) for row in rows}


def sagas_with_ref(*, provider_ref: str) -> Sequence[UUID]:
    """Return the checkouts whose payment has this id at the provider."""
    rows = Payment.objects.using(DATABASE).filter(
        provider__in=settings.PAYMENT_GATEWAYS, provider_ref=provider_ref
    )
    return list(rows.values_list("saga_id", flat=True))


def money_of(*, saga_id: UUID) -> Money:
    """Return what became of the money of a checkout, as far as it is known here."""
    payment = Payment.objects.using(DATABASE).filter(saga_id=saga_id).first()
    return Money() if payment is None else _money(payment)


def _money(payment: Payment) -> Money:
    return Money(
        captured=payment.captured,
        refunded=payment.refunded,
        currency=payment.currency,
        in_doubt=_is_in_doubt(payment),
    )


def _is_in_doubt(payment: Payment) -> bool:
    asked = payment.status in (Status.PROCESSING, Status.IN_DOUBT, Status.REVERSING)
    return asked and not payment.captured
