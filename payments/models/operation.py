"""Every call that changes something at the provider, committed before it is sent."""

from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from payments.models.payment import Payment


class Kind(models.TextChoices):
    INTENT = "intent"
    CHARGE = "charge"
    CAPTURE = "capture"
    REFUND = "refund"
    CANCEL = "cancel"


class OperationStatus(models.TextChoices):
    PENDING = "PENDING", "pending"
    IN_DOUBT = "IN_DOUBT", "in doubt"
    SUCCEEDED = "SUCCEEDED", "succeeded"
    FAILED = "FAILED", "failed"


#: Operations whose key may still be sent, or sent again.
UNSETTLED = (OperationStatus.PENDING, OperationStatus.IN_DOUBT)


class PaymentOperation(models.Model):
    """One call that changes something there: committed with its key before it is sent."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="operations")
    kind = models.CharField(max_length=16, choices=Kind)
    generation = models.PositiveIntegerField(
        help_text="Raised when the key before cannot get through any more."
    )
    idempotency_key = models.CharField(max_length=255)
    amount = models.BigIntegerField(help_text="Minor units; 0 for a cancel.")
    status = models.CharField(
        max_length=16, choices=OperationStatus, default=OperationStatus.PENDING
    )
    provider_ref = models.CharField(max_length=255, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    key_spent = models.BooleanField(
        default=False, help_text="The provider keeps an error as the answer to this key."
    )
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True)

    #: Set by ``operations.last``: whether the provider still knows the key, by its age.
    is_young: bool

    class Meta:
        ordering = ["created_at", "generation"]
        constraints = [
            models.UniqueConstraint(fields=["idempotency_key"], name="payments_operation_key"),
            models.UniqueConstraint(
                fields=["payment", "kind", "generation"], name="payments_operation_generation"
            ),
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(kind=Kind.CHARGE, status=OperationStatus.SUCCEEDED),
                name="payments_one_charge_a_payment",
            ),
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(kind=Kind.REFUND, status=OperationStatus.SUCCEEDED),
                name="payments_one_full_refund_a_payment",
            ),
            models.UniqueConstraint(
                fields=["payment", "kind"],
                condition=Q(status__in=UNSETTLED),
                name="payments_one_unsettled_a_kind",
            ),
            models.CheckConstraint(
                condition=(Q(kind=Kind.CANCEL) & Q(amount=0))
                | (
                    Q(kind__in=[Kind.INTENT, Kind.CHARGE, Kind.CAPTURE, Kind.REFUND])
                    & Q(amount__gt=0)
                ),
                name="payments_operation_amount",
            ),
            models.CheckConstraint(
                condition=Q(status__in=UNSETTLED, settled_at__isnull=True)
                | (~Q(status__in=UNSETTLED) & Q(settled_at__isnull=False)),
                name="payments_settled_means_settled",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="payments_newest_operation"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.generation} of {self.payment_id} ({self.status})"
