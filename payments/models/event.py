"""What the provider told us by webhook, and what was done there without us."""

from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from payments.models.payment import Payment


class EventStatus(models.TextChoices):
    RECEIVED = "RECEIVED", "received"
    PROCESSED = "PROCESSED", "processed"
    GIVEN_UP = "GIVEN_UP", "given up"


class ProviderEvent(models.Model):
    """One verified webhook, reduced to ids: its body, which quotes shoppers, is not kept."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    provider = models.CharField(max_length=32)
    event_id = models.CharField(max_length=255, help_text="The provider's.")
    kind = models.CharField(max_length=64)
    intent_ref = models.CharField(max_length=255, blank=True)
    told_at = models.DateTimeField(help_text="By the provider's clock.")
    received_at = models.DateTimeField(db_default=Now())
    copies = models.PositiveIntegerField(default=1, help_text="How often it was delivered.")
    status = models.CharField(
        max_length=16, choices=EventStatus, default=EventStatus.RECEIVED.value
    )
    outcome = models.CharField(max_length=64, blank=True, help_text="What came of it.")
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, db_default=Now())

    class Meta:
        ordering = ["-received_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "event_id"], name="payments_one_row_an_event"
            ),
            models.CheckConstraint(
                condition=Q(status=EventStatus.RECEIVED, next_attempt_at__isnull=False)
                | (~Q(status=EventStatus.RECEIVED) & Q(next_attempt_at__isnull=True)),
                name="payments_event_is_due_or_done",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="payments_events_due",
                condition=Q(next_attempt_at__isnull=False),
            ),
            models.Index(fields=["-received_at", "-id"], name="payments_newest_event"),
            models.Index(fields=["intent_ref"], name="payments_events_of_intent"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id} ({self.status})"


class ProviderMovement(models.Model):
    """A refund or a dispute as the provider has it, made by us or by somebody in its dashboard."""

    class Kind(models.TextChoices):
        REFUND = "refund"
        DISPUTE = "dispute"

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="movements")
    kind = models.CharField(max_length=16, choices=Kind)
    provider_ref = models.CharField(max_length=255)
    amount = models.BigIntegerField(help_text="Minor units.")
    status = models.CharField(max_length=16)
    reason = models.CharField(max_length=64, blank=True)
    is_ours = models.BooleanField(help_text="Whether one of our operations made it.")
    seen_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["seen_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["payment", "kind", "provider_ref"], name="payments_one_row_a_movement"
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=0), name="payments_movement_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.provider_ref} ({self.status})"
