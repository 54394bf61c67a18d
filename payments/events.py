"""Webhooks in: kept once, answered at once, processed later by asking the provider.

An event is a hint that something may have changed. What it says is not read beyond its ids:
events come twice, late, in any order, before our own reply, and about payments of others.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from payments import aftermath, alerts, calls, charging, late, records, reversing, rows
from payments.errors import (
    AuthorisationLost,
    CardDeclined,
    PaymentInDoubt,
    PaymentNeedsAction,
    PaymentRejected,
    PaymentUnavailable,
    ProviderDisagrees,
    RefundRefused,
)
from payments.gateways.port import Intent, IntentStatus
from payments.gateways.registry import gateway
from payments.models import (
    DATABASE,
    HELD,
    OPEN,
    EventStatus,
    Payment,
    ProviderEvent,
    Status,
)
from sagas.participant import crash
from sagas.participant.receipts import AlreadyCompensated

log = structlog.get_logger(__name__)

#: How long one attempt may take before another may begin; the gap doubles from here …
_FIRST_GAP = timedelta(seconds=30)
#: … up to this one …
_LONGEST_GAP = timedelta(hours=1)
#: … and after so many attempts, some three days, the event is given up with an alert.
_ATTEMPTS = 80

#: What learning raises although it has recorded what there was to learn.
_RECORDED = (
    AlreadyCompensated,
    AuthorisationLost,
    CardDeclined,
    PaymentNeedsAction,
    RefundRefused,
)


@dataclass(frozen=True)
class Learned:
    """What came of an event, in a word, and whose payment changed by it, if one did."""

    outcome: str
    saga_id: UUID | None = None


def receive(*, provider: str, body: bytes, headers: Mapping[str, str]) -> UUID | None:
    """Verify a webhook and keep it once; return its row's id, None if it is processed already.

    Raises:
        WebhookRefused: it is not the provider's; nothing was kept.
    """
    with crash.calling("payments.read_webhook"):
        told = gateway(provider).read_webhook(body=body, headers=headers)
    row = ProviderEvent(
        provider=provider,
        event_id=told.id,
        kind=told.kind,
        intent_ref=told.intent_ref,
        told_at=told.created_at,
    )
    events = ProviderEvent.objects.using(DATABASE)
    with crash.committing("payments.keep_event", using=DATABASE):
        events.bulk_create([row], ignore_conflicts=True)
    kept = events.get(provider=provider, event_id=told.id)
    if kept.pk != row.pk:
        with crash.statement("payments.count_event", using=DATABASE):
            events.filter(pk=kept.pk).update(copies=F("copies") + 1)
    return kept.pk if kept.status == EventStatus.RECEIVED else None


def due(*, limit: int) -> Sequence[UUID]:
    """Return events that nobody has processed, the longest overdue first."""
    waiting = ProviderEvent.objects.using(DATABASE).filter(next_attempt_at__lte=Now())
    return list(waiting.order_by("next_attempt_at").values_list("pk", flat=True)[:limit])


def process(event_id: UUID) -> UUID | None:
    """Ask the provider about what an event hints at, and record it.

    Returns:
        The saga whose payment changed; None if none did, or if somebody else is on the event.
    """
    event = _claim(event_id)
    if event is None:
        return None
    try:
        learned = _learn(event)
    except (PaymentInDoubt, PaymentUnavailable) as silence:
        _try_again(event, silence.code)
        return None
    except ProviderDisagrees as contradiction:
        alerts.event_contradicts(event, contradiction)
        learned = Learned(contradiction.code)
    except Exception as error:  # noqa: BLE001  (an event that breaks us must not be lost)
        _try_again(event, type(error).__name__)
        return None
    _settle(event, EventStatus.PROCESSED, learned.outcome)
    log.info("event_processed", event_id=event.event_id, kind=event.kind, outcome=learned.outcome)
    return learned.saga_id


def purge(*, older_than: timedelta) -> int:
    """Delete events of that age that are processed or given up; return how many."""
    old = ProviderEvent.objects.using(DATABASE).filter(
        received_at__lt=Now() - older_than, next_attempt_at__isnull=True
    )
    with crash.committing("payments.purge_events", using=DATABASE):
        deleted, _ = old.delete()
    return deleted


def _claim(event_id: UUID) -> ProviderEvent | None:
    """Take an event whose time has come; its next attempt is set first, should this one die."""
    events = ProviderEvent.objects.using(DATABASE)
    taken = events.filter(pk=event_id, next_attempt_at__lte=Now())
    with crash.statement("payments.claim_event", using=DATABASE):
        claimed = taken.update(attempts=F("attempts") + 1, next_attempt_at=Now() + _FIRST_GAP)
    return events.get(pk=event_id) if claimed else None


def _learn(event: ProviderEvent) -> Learned:
    if not event.intent_ref:
        return Learned("about-no-payment")
    try:
        with calls.asking(), crash.calling("payments.look_up_for_event"):
            intent = gateway(event.provider).look_up(ref=event.intent_ref)
    except PaymentRejected:
        return Learned("unknown-to-the-provider")
    payment = _payment_of(event, intent)
    if payment is None:
        return Learned("unknown-payment")
    if payment.provider_ref not in ("", intent.ref):
        if intent.captured:
            alerts.second_capture(payment, intent.ref)
        return Learned("another-intent")
    records.note_intent(payment.pk, intent)
    before = _facts(payment)
    _record(rows.read(payment.pk), intent)
    after = _facts(rows.read(payment.pk))
    return Learned("recorded", payment.saga_id) if after != before else Learned("nothing-new")


def _payment_of(event: ProviderEvent, intent: Intent) -> Payment | None:
    """Return the payment by the intent's id, or, before our own reply has come, by our own."""
    mine = Payment.objects.using(DATABASE).filter(provider=event.provider)
    known = mine.filter(provider_ref=intent.ref).first()
    if known is None and intent.payment_id:
        try:
            known = mine.filter(pk=UUID(intent.payment_id)).first()
        except ValueError:  # another system's metadata
            return None
    return known


def _record(payment: Payment, intent: Intent) -> None:
    """Record what there is to learn; money is moved for a success after the cancel only."""
    with suppress(*_RECORDED):
        if payment.status in (*OPEN, *HELD):
            if intent.status not in (IntentStatus.OPEN, IntentStatus.PROCESSING):
                charging.learn(payment, intent)
        elif payment.status == Status.CANCELLED:
            if intent.status is not IntentStatus.CANCELLED:
                late.check(payment.pk)
        elif payment.status == Status.REVERSING:
            reversing.learn(payment, intent)
        elif payment.status in (Status.SUCCEEDED, Status.REFUNDED):
            aftermath.learn(payment)


def _facts(payment: Payment) -> tuple[object, ...]:
    return (payment.status, payment.captured, payment.refunded, payment.disputed)


def _try_again(event: ProviderEvent, code: str) -> None:
    if event.attempts >= _ATTEMPTS:
        _settle(event, EventStatus.GIVEN_UP, code)
        alerts.event_given_up(event, code)
        return
    gap = min(_FIRST_GAP * 2 ** min(event.attempts - 1, 16), _LONGEST_GAP)
    with crash.statement("payments.put_event_off", using=DATABASE):
        _unprocessed(event).update(next_attempt_at=Now() + gap, outcome=code[:64])
    log.warning("event_not_processed", event_id=event.event_id, kind=event.kind, code=code)


def _settle(event: ProviderEvent, status: EventStatus, outcome: str) -> None:
    with crash.statement("payments.settle_event", using=DATABASE):
        _unprocessed(event).update(status=status, outcome=outcome[:64], next_attempt_at=None)


def _unprocessed(event: ProviderEvent) -> QuerySet[ProviderEvent]:
    return ProviderEvent.objects.using(DATABASE).filter(pk=event.pk, status=EventStatus.RECEIVED)
