"""What became of a charge later: refunds and disputes, by whomever, as the provider has them."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models.functions import Now

from payments import alerts, calls, parts, rows
from payments.gateways.port import Dispute, DisputeStatus, Refund, RefundStatus
from payments.gateways.registry import gateway
from payments.models import DATABASE, Payment, ProviderMovement, Status
from sagas.participant import crash


@dataclass(frozen=True, kw_only=True)
class _Change:
    """A movement that is new, or has another status than when it was seen last."""

    movement: ProviderMovement
    before: str


def learn(payment: Payment) -> None:
    """Ask for the refunds and disputes of a payment, and keep them beside it.

    A refund that was made elsewhere counts as given back. A dispute, and a refund that its bank
    took back after all, raise an alert: both need a person.
    """
    provider = gateway(payment.provider)
    with calls.asking():
        with crash.calling("payments.list_refunds"):
            refunds = provider.refunds_of(ref=payment.provider_ref)
        with crash.calling("payments.list_disputes"):
            disputes = provider.disputes_of(ref=payment.provider_ref)
    with rows.locked(payment.pk, "payments.note_aftermath") as known:
        changes = [*_keep_refunds(known, refunds), *_keep_disputes(known, disputes)]
    for change in changes:
        _tell(payment, change)


def _keep_refunds(payment: Payment, refunds: Sequence[Refund]) -> list[_Change]:
    parts.must_be_recent(payment, refunds)
    parts.settle_in(payment, refunds)
    given_back = sum(r.amount for r in refunds if r.status is RefundStatus.SUCCEEDED)
    if payment.status == Status.SUCCEEDED:
        if given_back >= payment.captured:
            parts.give_up_in(payment)
            payment.refund()
        else:
            parts.must_fit(payment, given_back)
            payment.refunded = given_back
    return [
        change
        for refund in refunds
        if (
            change := _keep(
                payment,
                kind=ProviderMovement.Kind.REFUND,
                ref=refund.ref,
                amount=refund.amount,
                status=refund.status.value,
                is_ours=bool(refund.operation_id),
            )
        )
    ]


def _keep_disputes(payment: Payment, disputes: Sequence[Dispute]) -> list[_Change]:
    payment.disputed = sum(d.amount for d in disputes if d.status is not DisputeStatus.WON)
    return [
        change
        for dispute in disputes
        if (
            change := _keep(
                payment,
                kind=ProviderMovement.Kind.DISPUTE,
                ref=dispute.ref,
                amount=dispute.amount,
                status=dispute.status.value,
                reason=dispute.reason,
                is_ours=False,
            )
        )
    ]


def _keep(
    payment: Payment,
    *,
    kind: ProviderMovement.Kind,
    ref: str,
    amount: int,
    status: str,
    is_ours: bool,
    reason: str = "",
) -> _Change | None:
    row, is_new = ProviderMovement.objects.using(DATABASE).get_or_create(
        payment=payment,
        kind=kind,
        provider_ref=ref,
        defaults={"amount": amount, "status": status, "reason": reason, "is_ours": is_ours},
    )
    if is_new:
        return _Change(movement=row, before="")
    if row.status == status:
        return None
    before, row.status, row.updated_at = row.status, status, Now()
    row.save(using=DATABASE, update_fields=["status", "updated_at"])
    return _Change(movement=row, before=before)


def _tell(payment: Payment, change: _Change) -> None:
    movement = change.movement
    if movement.kind == ProviderMovement.Kind.DISPUTE:
        alerts.disputed(payment, movement)
    elif change.before == RefundStatus.SUCCEEDED and movement.status == RefundStatus.FAILED:
        alerts.refund_taken_back(payment, movement)
    elif not movement.is_ours and not change.before:
        alerts.refunded_elsewhere(payment, movement)
