"""What is written here of the money of checkouts. Nothing in here calls the provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings

from payments import operations
from payments.gateways.port import Action
from payments.models import DATABASE, HELD, Kind, Payment, PaymentAction, Status


@dataclass(frozen=True, kw_only=True)
class PaymentStanding:
    """A payment as it is written here; ``next_keys`` has the key of the next call of each kind."""

    payment_id: UUID
    status: Status
    amount: int
    captured: int
    refunded: int
    currency: str
    manual_capture: bool
    authorised: int
    disputed: int
    provider_ref: str
    in_doubt: bool
    updated_at: datetime
    next_keys: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Money:
    """What became of a checkout's money so far, in minor units of ``currency``.

    ``currency`` is empty when no payment was ever begun. ``authorised`` is what the bank holds for
    us and we have not taken, ``disputed`` what it wants back, or got back, ``refundable`` what can
    still go back in parts. ``in_doubt`` tells that
    the provider may hold more than ``captured`` says, ``needs_action`` that the shopper has to
    authenticate first.
    """

    authorised: int = 0
    captured: int = 0
    refunded: int = 0
    disputed: int = 0
    refundable: int = 0
    currency: str = ""
    in_doubt: bool = False
    needs_action: bool = False


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
        manual_capture=payment.manual_capture,
        authorised=_authorised(payment),
        disputed=payment.disputed,
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


def action_of(*, saga_id: UUID) -> Action | None:
    """Return what the shopper has to do, for the checkout's owner only; None if nothing."""
    waits = PaymentAction.objects.using(DATABASE).filter(payment__saga_id=saga_id).first()
    if waits is None:
        return None
    return Action(kind=waits.kind, url=waits.url, client_secret=waits.client_secret)


def _money(payment: Payment) -> Money:
    return Money(
        authorised=_authorised(payment),
        captured=payment.captured,
        refunded=payment.refunded,
        disputed=payment.disputed,
        refundable=_refundable(payment),
        currency=payment.currency,
        in_doubt=_is_in_doubt(payment),
        needs_action=payment.status == Status.REQUIRES_ACTION,
    )


def _authorised(payment: Payment) -> int:
    return payment.amount if payment.status in HELD else 0


def _refundable(payment: Payment) -> int:
    if payment.status != Status.SUCCEEDED:
        return 0
    return payment.captured - payment.refunded - payment.refund_pending


def _is_in_doubt(payment: Payment) -> bool:
    asked = (Status.PROCESSING, Status.IN_DOUBT, Status.CAPTURING, Status.REVERSING)
    return payment.status in asked and not payment.captured
