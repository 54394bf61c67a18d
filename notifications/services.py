"""The only door to the mails: one of each kind a saga, sent once, or forbidden for ever.

Mail over SMTP cannot be exactly-once. What holds: one row a mail, one sender at a time, one
Message-ID at every attempt, and a double only where a crash hits the conversation itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connections
from django.db.models import F, Q
from django.db.models.functions import Now

from notifications.auditing import AuditedMail, audited_mails, lone_receipts, touched_mails
from notifications.delivery import (
    MailRefused,
    MailUnavailable,
    check_recipient,
    deliver,
    is_address,
    sender_domain,
)
from notifications.events import tell_of_mail
from notifications.models import DATABASE, Kind, Message, Receipt, Status
from notifications.rendering import (
    Rendered,
    render_apology,
    render_cancellation,
    render_confirmation,
    render_refund,
)
from sagas.participant import crash
from sagas.participant.receipts import (
    AlreadyCompensated,
    do_known_once,
    find_receipt,
    undo_once,
)

__all__ = [
    "AuditedMail",
    "MailBusy",
    "MailRefused",
    "MailUnavailable",
    "MessageMissing",
    "SentMessage",
    "audited_mails",
    "cancel_confirmation",
    "lone_receipts",
    "messages_of",
    "send_again",
    "send_apology",
    "send_cancellation",
    "send_confirmation",
    "send_refund_notice",
    "touched_mails",
]

#: The names of the steps, under which the receipts are kept.
_STEPS = {
    Kind.CONFIRMATION: "send_confirmation",
    Kind.APOLOGY: "send_apology",
    Kind.CANCELLATION: "send_cancellation",
    Kind.REFUND: "send_refund_notice",
}

#: No sender is at work on it, by the database's clock.
_IS_FREE = Q(status=Status.PENDING) & (Q(claimed_until=None) | Q(claimed_until__lte=Now()))

#: Look, write and claim in one statement, as every checkout runs it.
_WRITE_CLAIMED = """
INSERT INTO notifications_message (
    id, saga_id, kind, order_ref, recipient, subject, text_body, html_body, message_id, status,
    last_error, attempts, claimed_until
)
SELECT
    %(id)s, %(saga_id)s, %(kind)s, %(order_ref)s, %(recipient)s, %(subject)s, %(text_body)s,
    %(html_body)s, %(message_id)s, %(status)s, '', 1, statement_timestamp() + %(claimed_for)s
WHERE NOT EXISTS (
    SELECT FROM notifications_receipt WHERE saga_id = %(saga_id)s AND step = %(step)s
)
ON CONFLICT DO NOTHING
"""

Result = Mapping[str, Any]


class MailBusy(Exception):
    """Another sender is at work on this mail just now; transient.

    ``retry_after`` is how many seconds its claim has left.
    """

    code = "mail-busy"

    def __init__(self, words: str, *, retry_after: float = 0.0) -> None:
        super().__init__(words)
        self.retry_after = retry_after


class MessageMissing(Exception):
    """There is no such mail."""

    code = "message-missing"


@dataclass(frozen=True, kw_only=True)
class SentMessage:
    """What may be known of a mail outside this domain: no address and no text."""

    kind: Kind
    status: Status
    message_id: str
    attempts: int
    last_error: str
    created_at: datetime
    sent_at: datetime | None


def send_confirmation(
    *, saga_id: UUID, order_id: str | UUID, recipient: str, context: Mapping[str, Any]
) -> Result:
    """Mail the shopper that the order is confirmed, once; a repeat returns the first result.

    Args:
        order_id: the order's id, kept as a reference only.
        recipient: the shopper's address; a repeat may bring a corrected one.
        context: see ``rendering.render_confirmation``; the first call's words are kept.

    Returns:
        ``{"notification_id", "message_id"}``

    Raises:
        MailUnavailable, MailBusy: try again later.
        MailRefused: the server will not take it for this recipient; a refusal.
        AlreadyCompensated: it was cancelled before it was sent; it is never sent.
    """
    return _send_once(
        Kind.CONFIRMATION,
        saga_id=saga_id,
        order_ref=str(order_id),
        recipient=recipient,
        words=render_confirmation(context),
    )


def cancel_confirmation(*, saga_id: UUID) -> Result:
    """Forbid a confirmation that was not sent; one that was sent stays, it cannot be unsent.

    Returns:
        ``{"sent": bool}``, or ``{}`` when none was ever sent, in which case none ever will be.

    Raises:
        MailBusy: it is being sent just now; how that ends decides.
    """
    with crash.committing("notifications.cancel_confirmation", using=DATABASE):
        result = undo_once(
            Receipt,
            using=DATABASE,
            saga_id=saga_id,
            step=_STEPS[Kind.CONFIRMATION],
            inverse=lambda _: {"sent": True},
        )
        pending = Message.objects.using(DATABASE).filter(
            saga_id=saga_id, kind=Kind.CONFIRMATION, status=Status.PENDING
        )
        for message in pending.select_for_update():
            _cancel(message)
        return result


def send_apology(*, saga_id: UUID, recipient: str, context: Mapping[str, Any]) -> Result:
    """Mail the shopper that the checkout was undone and why, once; forbid the confirmation.

    Args:
        recipient: the shopper's address; a repeat may bring a corrected one.
        context: see ``rendering.render_apology``; the first call's words are kept.

    Returns:
        ``{"notification_id", "message_id"}``

    Raises:
        MailUnavailable, MailBusy: try again later.
        MailRefused: the server will not take it for this recipient; a refusal.
    """
    cancel_confirmation(saga_id=saga_id)
    return _send_once(
        Kind.APOLOGY,
        saga_id=saga_id,
        order_ref="",
        recipient=recipient,
        words=render_apology(context),
    )


def send_cancellation(
    *, saga_id: UUID, order_id: str | UUID, recipient: str, context: Mapping[str, Any]
) -> Result:
    """Mail the shopper that their order is cancelled and paid back, once.

    Args:
        saga_id: the cancellation, which has mails of its own.
        context: see ``rendering.render_cancellation``; the rest as in ``send_confirmation``.

    Returns:
        ``{"notification_id", "message_id"}``

    Raises:
        MailUnavailable, MailBusy: try again later.
        MailRefused: the server will not take it for this recipient; a refusal.
    """
    return _send_once(
        Kind.CANCELLATION,
        saga_id=saga_id,
        order_ref=str(order_id),
        recipient=recipient,
        words=render_cancellation(context),
    )


def send_refund_notice(
    *, saga_id: UUID, order_id: str | UUID, recipient: str, context: Mapping[str, Any]
) -> Result:
    """Mail the shopper that a part of their order is paid back, once for each return.

    Args:
        saga_id: the return, which has mails of its own.
        context: see ``rendering.render_refund``; the rest as in ``send_confirmation``.

    Returns:
        ``{"notification_id", "message_id"}``

    Raises:
        MailUnavailable, MailBusy: try again later.
        MailRefused: the server will not take it for this recipient; a refusal.
    """
    return _send_once(
        Kind.REFUND,
        saga_id=saga_id,
        order_ref=str(order_id),
        recipient=recipient,
        words=render_refund(context),
    )


def send_again(*, saga_id: UUID) -> SentMessage:
    """Send the newest mail of a saga once more, under its Message-ID, on a person's word.

    A mail that is still to be sent is the saga's own business and is left to it.

    Raises:
        MessageMissing: there is no mail that was sent.
        MailUnavailable: try again later.
        MailRefused: the server will not take it for this recipient.
    """
    message = (
        Message.objects.using(DATABASE)
        .filter(saga_id=saga_id, status=Status.SENT)
        .order_by("-created_at")
        .first()
    )
    if message is None:
        raise MessageMissing(f"no mail of {saga_id} was sent yet")
    with crash.calling("notifications.deliver_again"):
        deliver(message)
    with crash.statement("notifications.count_attempt", using=DATABASE):
        Message.objects.using(DATABASE).filter(pk=message.pk).update(attempts=F("attempts") + 1)
    return _without_personal_data(message)


def messages_of(*, saga_id: UUID) -> list[SentMessage]:
    """Return the mails of a saga, the oldest first, without personal data."""
    rows = Message.objects.using(DATABASE).filter(saga_id=saga_id).order_by("created_at", "id")
    return [_without_personal_data(row) for row in rows]


def _without_personal_data(row: Message) -> SentMessage:
    return SentMessage(
        kind=Kind(row.kind),
        status=Status(row.status),
        message_id=row.message_id,
        attempts=row.attempts,
        last_error=row.last_error,
        created_at=row.created_at,
        sent_at=row.sent_at,
    )


def _send_once(
    kind: Kind, *, saga_id: UUID, order_ref: str, recipient: str, words: Rendered
) -> Result:
    row = Message(
        saga_id=saga_id,
        kind=kind,
        order_ref=order_ref,
        recipient=recipient,
        subject=words.subject,
        text_body=words.text,
        html_body=words.html,
        message_id=f"<{kind}.{saga_id}@{sender_domain()}>",
        attempts=1,
    )
    if is_address(recipient) and _write_claimed(row):
        message = row
    elif (settled := _settled(kind, saga_id)) is not None:
        return settled
    else:
        check_recipient(recipient)
        message = _claim(kind, saga_id=saga_id, recipient=recipient)
    try:
        with crash.calling("notifications.deliver"):
            deliver(message)
    except Exception as error:
        _release(message, error)
        raise
    return _note_sent(message)


def _settled(kind: Kind, saga_id: UUID) -> Result | None:
    """Return the result of a mail that was sent, None if it is still to be sent.

    Raises:
        AlreadyCompensated: it was cancelled before it was sent.
    """
    receipt = find_receipt(Receipt, using=DATABASE, saga_id=saga_id, step=_STEPS[kind])
    if receipt is None:
        return None
    if receipt.undone_at is not None:
        raise AlreadyCompensated(f"the {kind} of {saga_id} was cancelled")
    return dict(receipt.result)


def _write_claimed(row: Message) -> bool:
    """Commit the mail, and our claim to send it; ``durable`` refuses an outer transaction.

    Returns:
        False if it is there already, or was cancelled before it was.
    """
    values = {
        **vars(row),
        "step": _STEPS[Kind(row.kind)],
        "claimed_for": timedelta(seconds=settings.OUTSIDE_STEP_TIME_LIMIT),
    }
    with (
        crash.committing("notifications.write_message", using=DATABASE, durable=True),
        connections[DATABASE].cursor() as cursor,
    ):
        cursor.execute(_WRITE_CLAIMED, values)
        return bool(cursor.rowcount)


def _claim(kind: Kind, *, saga_id: UUID, recipient: str) -> Message:
    """Take the mail for one attempt by a counted UPDATE: zero rows mean that another has it.

    The claim outlives the attempt: the step's time limit ends every attempt before.

    Raises:
        MailBusy: another sender's claim has not run out, or it has just sent the mail.
    """
    rows = Message.objects.using(DATABASE).filter(saga_id=saga_id, kind=kind)
    message = rows.annotate(claimed_for=F("claimed_until") - Now()).get()
    free = rows.filter(_IS_FREE, attempts=message.attempts)
    with crash.statement("notifications.claim", using=DATABASE):
        claimed = free.update(
            attempts=message.attempts + 1,
            claimed_until=Now() + timedelta(seconds=settings.OUTSIDE_STEP_TIME_LIMIT),
            recipient=recipient,
        )
    if not claimed:
        left = message.claimed_for.total_seconds() if message.claimed_for else 0.0
        words = f"another sender is at work on the {kind} of {saga_id}"
        raise MailBusy(words, retry_after=max(0.0, left))
    message.attempts += 1
    message.recipient = recipient
    return message


def _release(message: Message, error: Exception) -> None:
    """Give the claim back and keep why, unless it ran out and another sender took over."""
    why = str(error) if isinstance(error, MailUnavailable | MailRefused) else type(error).__name__
    mine = Message.objects.using(DATABASE).filter(
        pk=message.pk, attempts=message.attempts, status=Status.PENDING
    )
    with crash.statement("notifications.release_claim", using=DATABASE):
        mine.update(claimed_until=None, last_error=why)


def _note_sent(message: Message) -> Result:
    def note() -> None:
        sent = _locked(message.saga_id, message.kind)
        sent.mark_sent()
        sent.save(
            update_fields=["status", "sent_at", "claimed_until", "last_error"], using=DATABASE
        )
        tell_of_mail(sent)

    return do_known_once(
        Receipt,
        using=DATABASE,
        saga_id=message.saga_id,
        step=_STEPS[Kind(message.kind)],
        result={"notification_id": str(message.pk), "message_id": message.message_id},
        effect=note,
        point="notifications.note_sent",
    )


def _cancel(message: Message) -> None:
    """Cancel a locked, pending message; MailBusy if a sender is at work on it."""
    if not Message.objects.using(DATABASE).filter(_IS_FREE, pk=message.pk).exists():
        raise MailBusy(f"the confirmation of {message.saga_id} is being sent")
    message.cancel()
    message.save(update_fields=["status", "claimed_until"], using=DATABASE)


def _locked(saga_id: UUID, kind: str) -> Message:
    return Message.objects.using(DATABASE).select_for_update().get(saga_id=saga_id, kind=kind)
