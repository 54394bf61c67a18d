"""Mails that no saga sends: a product is back, for who asked; a product runs low, for staff."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now, Upper

from sagas.events.facts import new_event_id


class Topic(models.TextChoices):
    BACK_IN_STOCK = "back_in_stock", "back in stock"
    LOW_STOCK = "low_stock", "low stock"


class NoticeStatus(models.TextChoices):
    """Where a notice stands. Only what is DUE is sent, and only once."""

    WAITING = "WAITING", "waiting for the product"
    DUE = "DUE", "to be sent"
    SENT = "SENT", "sent"
    GIVEN_UP = "GIVEN_UP", "given up"
    UNSUBSCRIBED = "UNSUBSCRIBED", "not wanted any more"


class Notice(models.Model):
    """One mail to one address about one product; the address leaves this database by mail only."""

    id = models.UUIDField(primary_key=True, default=new_event_id, editable=False)
    topic = models.CharField(max_length=16, choices=Topic)
    sku = models.CharField(max_length=64)
    product_name = models.CharField(max_length=200, blank=True)
    recipient = models.EmailField(max_length=254)
    available = models.IntegerField(null=True, help_text="Units, when the event happened.")
    status = models.CharField(
        max_length=16, choices=NoticeStatus, default=NoticeStatus.WAITING.value
    )
    #: Raised by every attempt; whoever is at work on it knows it by this number.
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(
        null=True, help_text="While an attempt runs: when it is taken to be lost."
    )
    last_error = models.CharField(
        max_length=200, blank=True, help_text="Type and SMTP code only: texts quote addresses."
    )
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        permissions = [("resend_notice", "Can send a mail about a product that was given up")]
        constraints = [
            # Asked for twice is asked for once.
            models.UniqueConstraint(
                "sku",
                Upper("recipient"),
                condition=Q(topic=Topic.BACK_IN_STOCK, status=NoticeStatus.WAITING),
                name="notifications_asked_for_once",
            ),
            models.CheckConstraint(
                condition=Q(status=NoticeStatus.SENT, sent_at__isnull=False, attempts__gte=1)
                | (~Q(status=NoticeStatus.SENT) & Q(sent_at=None)),
                name="notifications_notice_sent_means_sent",
            ),
            models.CheckConstraint(
                condition=Q(status=NoticeStatus.DUE, next_attempt_at__isnull=False)
                | (~Q(status=NoticeStatus.DUE) & Q(next_attempt_at=None)),
                name="notifications_due_has_its_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="notifications_notice_due",
                condition=Q(status=NoticeStatus.DUE),
            ),
            models.Index(
                fields=["sku"],
                name="notifications_notice_waiting",
                condition=Q(status=NoticeStatus.WAITING),
            ),
            models.Index(Upper("recipient"), name="notifications_notice_recipient"),
            models.Index(fields=["created_at"], name="notifications_notice_age"),
        ]

    def __str__(self) -> str:
        return f"{self.topic} of {self.sku} ({self.status})"

    @property
    def local_part(self) -> str:
        """What its Message-ID begins with: the same at every attempt."""
        return f"{self.topic}.{self.pk}"
