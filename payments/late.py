"""Successes that come after the cancel: looked for with growing gaps, and refunded."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Now

from payments import alerts, calls, records, reversing, rows
from payments.gateways.port import IntentStatus
from payments.models import DATABASE, Payment, Status
from sagas.participant import crash

#: The gap doubles with every check up to this one …
LONGEST_GAP = timedelta(hours=6)
#: … until the payment has stayed cancelled for this long.
CHECKED_FOR = timedelta(hours=24)

_DOUBLINGS_AT_THE_MOST = 16


def claim(*, limit: int) -> Sequence[UUID]:
    """Take up to ``limit`` payments whose check is due, and set the next one, further away."""
    with crash.committing("payments.claim_late_checks", using=DATABASE, durable=True):
        payments = Payment.objects.using(DATABASE)
        due = payments.filter(next_check_at__lte=Now()).order_by("next_check_at")
        taken = list(due.select_for_update(skip_locked=True)[:limit])
        for payment in taken:
            checks = payment.checks + 1
            gap = records.FIRST_CHECK * 2 ** min(checks, _DOUBLINGS_AT_THE_MOST)
            payments.filter(pk=payment.pk).update(
                checks=checks, next_check_at=Now() + min(gap, LONGEST_GAP)
            )
    return [payment.pk for payment in taken]


def check(payment_id: UUID) -> bool:
    """Ask about a cancelled payment, and refund it if the money came all the same.

    Returns:
        True if money came and was given back by this call.

    Raises:
        As ``reversing.finish``; the next check goes on from there.
    """
    payment = rows.read(payment_id)
    if payment.status == Status.CANCELLED:
        intent = calls.intent_of(payment, ask_first=True)
        if intent.status is IntentStatus.CANCELLED:
            _end_when_old(payment_id)
            return False
        alerts.late_success(payment)
        reversing.undo(payment, intent)
    elif payment.status == Status.REVERSING:
        reversing.finish(payment)
    return rows.read(payment_id).status == Status.REFUNDED


def _end_when_old(payment_id: UUID) -> None:
    old = Payment.objects.using(DATABASE).filter(
        pk=payment_id, status=Status.CANCELLED, cancelled_at__lte=Now() - CHECKED_FOR
    )
    with crash.statement("payments.end_late_checks", using=DATABASE):
        old.update(next_check_at=None)
