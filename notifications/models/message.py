"""Every mail that was promised to a shopper, as it was or will be sent."""

from uuid import uuid4

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest, Now, Upper
from django_fsm import FSMField, FSMModelMixin, transition


class Kind(models.TextChoices):
    CONFIRMATION = "confirmation"
    APOLOGY = "apology"
    CANCELLATION = "cancellation"
    REFUND = "refund"


class Status(models.TextChoices):
    """Where a message stands. SENT means that a mail server took it over, once, for good."""

    PENDING = "PENDING", "pending"
    SENT = "SENT", "sent"
    CANCELLED = "CANCELLED", "cancelled"


#: When a mail was written last.
TOUCHED_AT = Greatest("created_at", "sent_at")


class Message(FSMModelMixin, models.Model):
    """One mail of one kind for one saga; personal data, which never leaves this database."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    saga_id = models.UUIDField(editable=False)
    kind = models.CharField(max_length=16, choices=Kind)
    order_ref = models.CharField(max_length=64, blank=True, help_text="The order's id, if any.")
    recipient = models.EmailField(max_length=254)
    subject = models.CharField(max_length=200)
    text_body = models.TextField()
    html_body = models.TextField()
    message_id = models.CharField(
        max_length=320, help_text="The same at every attempt, so that mail systems drop a double."
    )
    status = FSMField(
        max_length=16, choices=Status.choices, default=Status.PENDING.value, protected=True
    )
    #: Raised by every claim; whoever holds a claim knows it by this number.
    attempts = models.PositiveIntegerField(default=0)
    claimed_until = models.DateTimeField(
        null=True, help_text="Until when a sender is taken to be at work; the database's clock."
    )
    last_error = models.CharField(
        max_length=200, blank=True, help_text="Type and SMTP code only: texts quote addresses."
    )
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["saga_id", "kind"], name="notifications_one_message_a_kind"
            ),
            models.UniqueConstraint(fields=["message_id"], name="notifications_message_id_once"),
            models.CheckConstraint(
                condition=Q(kind__in=Kind.values), name="notifications_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status=Status.SENT, sent_at__isnull=False, attempts__gte=1)
                | Q(status__in=(Status.PENDING, Status.CANCELLED), sent_at=None),
                name="notifications_sent_means_sent",
            ),
            models.CheckConstraint(
                condition=Q(claimed_until=None) | Q(status=Status.PENDING),
                name="notifications_only_pending_is_claimed",
            ),
            # A line break in a header would let its author write headers of their own.
            models.CheckConstraint(
                condition=~Q(recipient__regex=r"[[:cntrl:]]")
                & ~Q(subject__regex=r"[[:cntrl:]]")
                & ~Q(message_id__regex=r"[[:cntrl:]]"),
                name="notifications_headers_are_one_line",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="notifications_newest"),
            models.Index(fields=["status", "-created_at", "-id"], name="notifications_by_status"),
            models.Index(
                Upper("recipient"), F("created_at").desc(), name="notifications_by_recipient"
            ),
            models.Index(TOUCHED_AT, name="notifications_touched"),
            models.Index(
                fields=["created_at"],
                name="notifications_pending",
                condition=Q(status=Status.PENDING),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.saga_id} ({self.status})"

    @transition(field=status, source=Status.PENDING.value, target=Status.SENT.value)
    def mark_sent(self) -> None:
        """A mail server took it over."""
        self.sent_at = Now()
        self.claimed_until = None
        self.last_error = ""

    @transition(field=status, source=Status.PENDING.value, target=Status.CANCELLED.value)
    def cancel(self) -> None:
        """Its saga was undone before it was sent."""
        self.claimed_until = None
