"""Partial refunds: a part goes back, the payment stands. One a saga, each with a key of its own.

A repeat asks the provider for our own id before it asks for money.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from payments import calls, parts, receipts
from payments.errors import (
    PaymentInDoubt,
    PaymentUnavailable,
    RefundPending,
    RefundRefused,
)
from payments.gateways.port import InDoubt, Refund, RefundStatus, Rejected, Unavailable
from payments.gateways.registry import gateway
from payments.models import PartialRefund, PartStatus
from sagas.participant import crash

Result = Mapping[str, Any]


def give_back(*, saga_id: UUID, checkout_id: UUID, amount: int) -> Result:
    """See ``payments.services.refund_part``."""
    done = receipts.result_of(saga_id, receipts.PART_STEP)
    if done is not None:
        return done
    part, is_first = parts.begin(saga_id=saga_id, checkout_id=checkout_id, amount=amount)
    if part.status == PartStatus.PENDING and (is_first or not _was_made(part)):
        _send(part)
    done = receipts.result_of(saga_id, receipts.PART_STEP)
    if done is None:
        code = parts.read(part.pk).error_code
        raise RefundRefused(f"the partial refund is not made any more: {code}")
    return done


def stop(*, saga_id: UUID) -> Result:
    """See ``payments.services.stop_refund``."""
    part = parts.begin_stop(saga_id=saga_id)
    if part is None:
        return {}
    if part.status == PartStatus.PENDING:
        with suppress(RefundRefused):  # it failed at the bank, which is as good
            if not _was_made(part):
                parts.fail(part, "stopped")
    if parts.read(part.pk).status == PartStatus.SUCCEEDED:
        return {"stands": part.amount}
    return {"stopped": part.amount}


def _was_made(part: PartialRefund) -> bool:
    """Ask whether an attempt before this one got through, and record what became of it."""
    payment = part.payment
    with calls.asking(), crash.calling("payments.find_part"):
        made = gateway(payment.provider).refunds_of(ref=payment.provider_ref)
    mine = [refund for refund in made if refund.operation_id == str(part.pk)]
    for refund in sorted(mine, key=lambda each: each.status is not RefundStatus.SUCCEEDED):
        _learn(part, refund)
        return True
    return False


def _send(part: PartialRefund) -> None:
    payment, sent = part.payment, parts.open_next(part)
    try:
        with crash.calling("payments.refund_part"):
            refund = gateway(payment.provider).refund(
                ref=payment.provider_ref,
                key=sent.idempotency_key,
                amount=sent.amount,
                operation_id=str(sent.pk),
            )
    except InDoubt as doubt:
        parts.doubt(sent, doubt.code, key_spent=doubt.answered)
        words = f"the outcome of the partial refund is unknown: {doubt}"
        raise PaymentInDoubt(words, retry_after=doubt.retry_after) from doubt
    except Unavailable as away:
        raise PaymentUnavailable("the provider cannot be reached") from away
    except Rejected as no:
        parts.fail(sent, no.code)
        raise RefundRefused(f"the provider rejected the partial refund: {no}") from no
    _learn(sent, refund)


def _learn(part: PartialRefund, refund: Refund) -> None:
    match refund.status:
        case RefundStatus.SUCCEEDED:
            parts.record(part, refund.ref)
        case RefundStatus.PENDING:
            raise RefundPending(f"for the bank to let partial refund {part.pk} through")
        case RefundStatus.FAILED:
            parts.fail(part, "refund-failed")
            raise RefundRefused(f"partial refund {part.pk} failed at the bank")
