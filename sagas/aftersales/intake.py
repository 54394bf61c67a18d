"""From a word to a saga after the sale: everything that can be refused is refused here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from orders.models import Order
from orders.models import Status as OrderStatus
from payments import services as payments
from sagas import journal, operations
from sagas.aftersales import problems
from sagas.checkout.intake import fingerprint_of
from sagas.checkout.problems import CheckoutProblem, KeyReused
from sagas.models import COMPENSATED, COMPLETE, DATABASE, Saga, new_saga_id
from sagas.participant.money import written

CANCELLATION, RETURN = "cancellation", "return"

#: Who may, and who may whatever the amount.
MAY_CANCEL, MAY_REFUND = "sagas.cancel_order", "sagas.refund_order"
_MAY_REFUND_ANY = "sagas.compensate_saga_any_amount"

#: Why money is given back, as staff choose it.
REASONS = (
    "damaged",
    "wrong-item",
    "not-as-described",
    "missing",
    "late",
    "changed-mind",
    "goodwill",
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be given back: units of lines, an amount in minor units, or both.

    Both means the lines for another amount than they cost, such as without a fee.
    """

    reason: str
    lines: Sequence[Mapping[str, Any]] = ()
    amount: int | None = None


def cancel(order: Order) -> Saga:
    """Cancel a paid order that is not shipped; a repeat returns the same cancellation.

    Raises:
        NotCancellable: it is shipped, cancelled by other means, or not paid yet.
    """
    earlier = _followers(order, CANCELLATION)
    standing = earlier.exclude(state=COMPENSATED).first()
    if standing is not None:
        return standing
    checkout = _must_be_complete(order)
    if order.shipped_at is not None:
        raise problems.NotCancellable("The order has been shipped; it can be sent back instead.")
    if order.status != OrderStatus.CONFIRMED:
        raise problems.NotCancellable(f"The order is {order.status}.")
    money = payments.money_of(saga_id=order.saga_id)
    return operations.start(
        kind=CANCELLATION,
        saga_id=new_saga_id(),
        # Its shopper's, whoever asks: two who ask at a time start one cancellation.
        principal=checkout.principal,
        idempotency_key=f"{order.saga_id}:{earlier.count() + 1}",
        fingerprint="",
        input={"checkout_id": str(order.saga_id)},
        amount=money.captured - money.refunded,
        currency=order.currency,
        follows=order.saga_id,
    ).saga


def cancellation_of(order: Order) -> Saga | None:
    """Return the newest cancellation of an order, None if nobody has asked for one."""
    return _followers(order, CANCELLATION).first()


def refund(
    order: Order, wanted: Wanted, *, principal: str, idempotency_key: str, limit: int | None
) -> Saga:
    """Give a part of an order back once; the same key and wish again return the same return.

    Args:
        order: a confirmed one, with its lines.
        wanted: lines, an amount, or both.
        principal: which member of staff; the key is theirs.
        idempotency_key: chosen by the client.
        limit: minor units up to which they give back; None for any amount.

    Raises:
        NeedsApproval: it is above the limit.
        NotRefundable: there is not so much, or not so many units, left to give back.
        KeyReused: the key belongs to another request.
    """
    fingerprint = fingerprint_of(
        {
            "order": order.number,
            "lines": [dict(line) for line in wanted.lines],
            "amount": wanted.amount,
            "reason": wanted.reason,
        }
    )
    try:
        earlier = operations.find_request(
            kind=RETURN,
            principal=principal,
            idempotency_key=idempotency_key,
            fingerprint=fingerprint,
        )
        if earlier is not None:
            return earlier
        _must_be_complete(order, refusal=problems.NotRefundable)
        amount = amount_of(order, wanted)
        if limit is not None and amount > limit:
            most = written(limit, order.currency)
            raise problems.NeedsApproval(f"You may give back {most} at the most.")
        return operations.start(
            kind=RETURN,
            saga_id=new_saga_id(),
            principal=principal,
            idempotency_key=idempotency_key,
            fingerprint=fingerprint,
            input={
                "checkout_id": str(order.saga_id),
                "amount": amount,
                "currency": order.currency,
                "reason": wanted.reason,
                "lines": [dict(line) for line in wanted.lines],
            },
            amount=amount,
            currency=order.currency,
            follows=order.saga_id,
        ).saga
    except operations.KeyReused as error:
        raise KeyReused("Another request was sent with this Idempotency-Key.") from error


def refund_by_key(order: Order, *, principal: str, idempotency_key: UUID) -> Saga | None:
    """Return what this key of a member of staff has begun of an order, None if nothing."""
    mine = _followers(order, RETURN).filter(principal=principal)
    return mine.filter(idempotency_key=str(idempotency_key)).first()


def returns_of(order: Order) -> Sequence[Saga]:
    """Return the returns of an order, the newest first."""
    return list(_followers(order, RETURN)[:100])


def amount_of(order: Order, wanted: Wanted) -> int:
    """Return what is to be given back, in minor units of the order's currency.

    Raises:
        NotRefundable: the lines, or the amount, are more than what is left.
    """
    if order.status != OrderStatus.CONFIRMED:
        raise problems.NotRefundable(f"The order is {order.status}.")
    by_lines = _worth_of(order, wanted.lines)
    amount = by_lines if wanted.amount is None else wanted.amount
    left = payments.money_of(saga_id=order.saga_id).refundable
    if wanted.lines and amount > by_lines:
        cost = written(by_lines, order.currency)
        raise problems.NotRefundable(
            f"The lines cost {cost}; give at most that back for them.",
            errors=[{"pointer": "#/amount", "detail": f"At most {by_lines}.", "code": "too-much"}],
        )
    if amount > left:
        raise problems.NotRefundable(
            f"{written(left, order.currency)} are left to give back.",
            errors=[{"pointer": "#/amount", "detail": f"At most {left}.", "code": "too-much"}],
            refundable={"amount": left, "currency": order.currency},
        )
    return amount


def limit_of(user: Any) -> int | None:
    """Return up to which amount, in minor units, a member of staff gives back; None for any."""
    return None if user.has_perm(_MAY_REFUND_ANY) else settings.CONSOLE_APPROVAL_AMOUNT


def _worth_of(order: Order, wanted: Sequence[Mapping[str, Any]]) -> int:
    lines = {line.sku: line for line in order.lines.all()}
    worth, errors = 0, []
    for index, each in enumerate(wanted):
        line = lines.get(each["sku"])
        left = line.quantity - line.returned if line else 0
        if line is None or each["quantity"] > left:
            errors.append(
                {
                    "pointer": f"#/lines/{index}/quantity" if line else f"#/lines/{index}/sku",
                    "detail": f"{left} of it are left to return." if line else "Not in this order.",
                    "code": "not-left",
                }
            )
        else:
            worth += each["quantity"] * line.unit_price
    if errors:
        raise problems.NotRefundable("Not so many units are left to return.", errors=errors)
    return worth


def _must_be_complete(
    order: Order, *, refusal: type[CheckoutProblem] = problems.NotCancellable
) -> Saga:
    checkout = journal.read(order.saga_id)
    if checkout.state != COMPLETE:
        raise refusal("The order is not through its checkout; look again in a moment.")
    return checkout


def _followers(order: Order, kind: str) -> QuerySet[Saga]:
    sagas = Saga.objects.using(DATABASE).filter(follows=order.saga_id, kind=kind)
    return sagas.order_by("-created_at", "-id")
