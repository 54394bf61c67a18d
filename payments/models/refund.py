"""A part of a captured payment that goes back, without the payment being undone."""

from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from payments.models.payment import Payment


class PartStatus(models.TextChoices):
    """How a partial refund stands."""

    PENDING = "PENDING", "pending"
    SUCCEEDED = "SUCCEEDED", "succeeded"
    FAILED = "FAILED", "failed"


class PartialRefund(models.Model):
    """One partial refund of one saga, committed with its key before it is asked for.

    While it is PENDING, its amount is set aside in ``Payment.refund_pending``. Written by
    ``payments.parts`` only, under the payment's lock.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="parts")
    saga_id = models.UUIDField(help_text="Of the return that asks for it.")
    amount = models.BigIntegerField(help_text="Minor units.")
    status = models.CharField(max_length=16, choices=PartStatus, default=PartStatus.PENDING)
    generation = models.PositiveIntegerField(
        default=1, help_text="Raised when the key before cannot get through any more."
    )
    key_since = models.DateTimeField(db_default=Now(), help_text="When the key was made.")
    key_spent = models.BooleanField(
        default=False, help_text="The provider keeps an error as the answer to this key."
    )
    provider_ref = models.CharField(max_length=255, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["saga_id"], name="payments_one_part_a_saga"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payments_part_positive"),
            models.CheckConstraint(
                condition=Q(status=PartStatus.PENDING, settled_at__isnull=True)
                | (~Q(status=PartStatus.PENDING) & Q(settled_at__isnull=False)),
                name="payments_part_settled_means_settled",
            ),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="payments_newest_part")]

    def __str__(self) -> str:
        return f"part {self.pk} of payment {self.payment_id} ({self.status})"

    @property
    def idempotency_key(self) -> str:
        """Under which the provider is asked for it."""
        return f"makegood-{self.pk}-part-{self.generation}"
