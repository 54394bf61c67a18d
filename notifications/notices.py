"""Mails about products: asked for, made due by an event, sent once, unsubscribed from.

A notice is its own queue: the time of its next attempt is claimed by a counted UPDATE, so that
one sender is at work on it, and one that dies leaves a time at which the next one tries.
"""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from notifications import alerts
from notifications.delivery import MailRefused, MailUnavailable, check_recipient, send
from notifications.events import tell_of_notice
from notifications.models import DATABASE, InboxEntry, Notice, NoticeStatus, Topic
from notifications.rendering import render_notice
from sagas.events.broker import BROKER_ERRORS
from sagas.events.facts import Event
from sagas.events.inbox import consumer
from sagas.participant import crash
from sagas.participant.backoff import full_jitter

_SALT = "makegood.unsubscribe"
QUEUE = "outgoing"
#: The task that sends what is due; called by name, as it stands above.
SEND = "notifications.send_notices"

#: How long addresses are kept that nothing more is sent to, and those that still wait.
KEPT, WAITS = timedelta(days=30), timedelta(days=365)


class SenderLost(Exception):
    """The last attempt never said how it ended."""


def subscribe(*, sku: str, product_name: str, email: str) -> UUID:
    """Keep that ``email`` wants one mail when the product is back; a repeat changes nothing.

    Returns:
        The notice's id.

    Raises:
        MailRefused: it is no address that mail can be sent to.
    """
    check_recipient(email)
    rows = Notice.objects.using(DATABASE)
    wanted = Notice(topic=Topic.BACK_IN_STOCK, sku=sku, product_name=product_name, recipient=email)
    with crash.committing("notifications.subscribe", using=DATABASE):
        rows.bulk_create([wanted], ignore_conflicts=True)
    waiting = rows.filter(topic=Topic.BACK_IN_STOCK, status=NoticeStatus.WAITING, sku=sku)
    kept = waiting.filter(recipient__iexact=email).first()
    return kept.pk if kept else wanted.pk


def withdraw(*, notice_id: UUID) -> None:
    """Forget a notice that still waits: the product turned out to be there."""
    waiting = Notice.objects.using(DATABASE).filter(pk=notice_id, status=NoticeStatus.WAITING)
    with crash.committing("notifications.withdraw", using=DATABASE):
        waiting.delete()


def unsubscribe_url(notice: Notice) -> str:
    """Return the page on which the recipient says that they want no more of these mails."""
    token = signing.Signer(salt=_SALT).sign(notice.pk.hex)
    return f"{settings.PUBLIC_URL}/unsubscribe/{token}"


def notice_of(token: str) -> Notice | None:
    """Return the notice that a link was made for, None if it is not ours or is forgotten."""
    try:
        notice_id = UUID(hex=signing.Signer(salt=_SALT).unsign(token))
    except (signing.BadSignature, ValueError):
        return None
    return Notice.objects.using(DATABASE).filter(pk=notice_id).first()


def unsubscribe(notice: Notice) -> int:
    """Send nothing more about products to the notice's address; return how many were waiting."""
    unsent = Notice.objects.using(DATABASE).filter(
        topic=Topic.BACK_IN_STOCK,
        status__in=(NoticeStatus.WAITING, NoticeStatus.DUE),
        recipient__iexact=notice.recipient,
    )
    with crash.statement("notifications.unsubscribe", using=DATABASE):
        return unsent.update(status=NoticeStatus.UNSUBSCRIBED, next_attempt_at=None)


# Consumers ----------------------------------------------------------------------------


@consumer(InboxEntry)
def tell_who_asked(event: Event) -> None:
    """A product is back: everybody who asked for it gets one mail."""
    Notice.objects.using(DATABASE).filter(
        topic=Topic.BACK_IN_STOCK, status=NoticeStatus.WAITING, sku=event.payload["sku"]
    ).update(status=NoticeStatus.DUE, next_attempt_at=Now(), available=event.payload["available"])
    transaction.on_commit(ask_to_send, using=DATABASE)


@consumer(InboxEntry)
def tell_staff(event: Event) -> None:
    """A product runs low: the shop's staff gets one mail, if settings.STOCK_EMAIL names one."""
    if not settings.STOCK_EMAIL:
        return
    Notice.objects.using(DATABASE).create(
        topic=Topic.LOW_STOCK,
        sku=event.payload["sku"],
        recipient=settings.STOCK_EMAIL,
        available=event.payload["available"],
        status=NoticeStatus.DUE,
        next_attempt_at=Now(),
    )
    transaction.on_commit(ask_to_send, using=DATABASE)


# Sending ------------------------------------------------------------------------------


def ask_to_send() -> None:
    """Ask a worker to send what is due; without a broker the tick does."""
    try:
        with crash.calling("notifications.ask_to_send"):
            current_app.send_task(SEND, queue=QUEUE)
    except BROKER_ERRORS as error:
        alerts.log.warning("notices_not_asked_for", error=type(error).__name__)


def send_due(*, limit: int) -> int:
    """Send up to ``limit`` notices that are due, the longest overdue first.

    Returns:
        How many a mail server took over.
    """
    sent = 0
    for notice in _claimed(limit):
        try:
            check_recipient(notice.recipient)
            words = render_notice(notice, unsubscribe_url(notice))
            with crash.calling("notifications.deliver_notice"):
                send(words)
        except Exception as error:  # noqa: BLE001  (kept on the row, tried again, then given up)
            _note_failure(notice, error)
        else:
            sent += _note_sent(notice)
    return sent


def _claimed(limit: int) -> Iterator[Notice]:
    """Yield notices, each claimed for one attempt just before it is sent."""
    rows = Notice.objects.using(DATABASE)
    lost_after = timedelta(seconds=settings.OUTSIDE_STEP_TIME_LIMIT)
    for _ in range(limit):
        due = rows.filter(status=NoticeStatus.DUE, next_attempt_at__lte=Now())
        notice = due.order_by("next_attempt_at").first()
        if notice is None:
            return
        if notice.attempts >= settings.EVENT_ATTEMPTS:
            _note_failure(notice, SenderLost())
            continue
        with crash.statement("notifications.claim_notice", using=DATABASE):
            claimed = due.filter(pk=notice.pk, attempts=notice.attempts).update(
                attempts=notice.attempts + 1, next_attempt_at=Now() + lost_after
            )
        if claimed:
            notice.attempts += 1
            yield notice


def _note_sent(notice: Notice) -> bool:
    """Write down that a mail server took it over, unless another sender has by now."""
    with crash.committing("notifications.note_notice_sent", using=DATABASE, durable=True):
        sent = (
            Notice.objects.using(DATABASE)
            .filter(pk=notice.pk, status=NoticeStatus.DUE)
            .update(status=NoticeStatus.SENT, sent_at=Now(), next_attempt_at=None, last_error="")
        )
        if sent:
            tell_of_notice(notice)
    return bool(sent)


def _note_failure(notice: Notice, error: Exception) -> None:
    known = isinstance(error, MailUnavailable | MailRefused)
    why = str(error) if known else type(error).__name__
    ends = isinstance(error, MailRefused) or notice.attempts >= settings.EVENT_ATTEMPTS
    wait = full_jitter(
        notice.attempts, first=settings.RETRY_FIRST_DELAY, longest=settings.RETRY_MAX_DELAY
    )
    mine = Notice.objects.using(DATABASE).filter(
        pk=notice.pk, attempts=notice.attempts, status=NoticeStatus.DUE
    )
    with crash.statement("notifications.note_notice_failed", using=DATABASE):
        mine.update(
            status=NoticeStatus.GIVEN_UP if ends else NoticeStatus.DUE,
            next_attempt_at=None if ends else Now() + timedelta(seconds=wait),
            last_error=why,
        )
    if ends:
        alerts.notice_given_up(notice, why)


def send_again(notice_id: UUID) -> bool:
    """Try a notice that was given up again, with all its attempts; False if it was not."""
    given_up = Notice.objects.using(DATABASE).filter(pk=notice_id, status=NoticeStatus.GIVEN_UP)
    with crash.statement("notifications.send_notice_again", using=DATABASE):
        again = given_up.update(status=NoticeStatus.DUE, attempts=0, next_attempt_at=Now())
    return bool(again)


def purge() -> int:
    """Forget addresses that nothing more is sent to, and those that waited in vain for a year."""
    old = Q(created_at__lte=Now() - KEPT) & ~Q(status__in=(NoticeStatus.WAITING, NoticeStatus.DUE))
    in_vain = Q(created_at__lte=Now() - WAITS)
    with crash.committing("notifications.purge_notices", using=DATABASE):
        return Notice.objects.using(DATABASE).filter(old | in_vain).delete()[0]
