"""Payments, and every operation that was intended at the provider before it was called."""

from uuid import uuid4

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django_fsm import FSMField, FSMModelMixin, transition

from sagas.participant.models import AbstractReceipt

#: This domain's database alias.
DATABASE = "payments"


class Receipt(AbstractReceipt):
    class Meta(AbstractReceipt.Meta):
        abstract = False


class PaymentMethod(models.Model):
    """How a checkout will be paid: the provider's token, kept here and nowhere else."""

    checkout_id = models.UUIDField(primary_key=True)
    token = models.CharField(max_length=255)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(token=""), name="payments_method_has_a_token"),
        ]

    def __str__(self) -> str:
        return f"payment method of {self.checkout_id}"


class Status(models.TextChoices):
    CREATED = "CREATED", "created"
    PROCESSING = "PROCESSING", "processing"
    IN_DOUBT = "IN_DOUBT", "in doubt"
    SUCCEEDED = "SUCCEEDED", "succeeded"
    DECLINED = "DECLINED", "declined"
    REVERSING = "REVERSING", "reversing"
    CANCELLED = "CANCELLED", "cancelled"
    REFUNDED = "REFUNDED", "refunded"


#: A charge that has no outcome yet, and may still get one.
OPEN = (Status.CREATED, Status.PROCESSING, Status.IN_DOUBT)
#: The charge was taken back, or is being taken back: nothing forward may begin any more.
REVERSED = (Status.REVERSING, Status.CANCELLED, Status.REFUNDED)

_NO_MONEY = Q(captured=0, refunded=0)
_MONEY_HELD = Q(captured=F("amount"), refunded=0)
_MONEY_BACK = Q(captured=F("amount"), refunded=F("amount"))


def _nothing_captured(payment: "Payment") -> bool:
    return payment.captured == 0


def _captured(payment: "Payment") -> bool:
    return payment.captured == payment.amount


class Payment(FSMModelMixin, models.Model):
    """One charge of one saga. Written by ``payments.records`` only, under its row's lock."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    saga_id = models.UUIDField()
    order_id = models.UUIDField()
    amount = models.BigIntegerField(help_text="Minor units.")
    currency = models.CharField(max_length=3, help_text="ISO 4217.")
    provider = models.CharField(max_length=32)
    provider_ref = models.CharField(max_length=255, blank=True, help_text="The intent's id.")
    status = FSMField(
        max_length=16, choices=Status.choices, default=Status.CREATED.value, protected=True
    )
    captured = models.BigIntegerField(default=0)
    refunded = models.BigIntegerField(default=0)
    decline_code = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    cancelled_at = models.DateTimeField(null=True)
    next_check_at = models.DateTimeField(
        null=True, help_text="When the provider is asked again for a success after the cancel."
    )
    checks = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["saga_id"], name="payments_one_payment_a_saga"),
            models.UniqueConstraint(
                fields=["provider", "provider_ref"],
                condition=~Q(provider_ref=""),
                name="payments_one_payment_an_intent",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payments_amount_positive"),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="payments_currency_is_iso"
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0)
                & Q(refunded__lte=F("captured"))
                & Q(captured__lte=F("amount")),
                name="payments_refunded_le_captured_le_amount",
            ),
            models.CheckConstraint(
                condition=Q(captured=0) | Q(captured=F("amount")),
                name="payments_captured_whole_or_not",
            ),
            models.CheckConstraint(
                condition=(Q(status__in=[*OPEN, Status.DECLINED, Status.CANCELLED]) & _NO_MONEY)
                | (Q(status=Status.SUCCEEDED) & _MONEY_HELD)
                | (Q(status=Status.REVERSING) & (_NO_MONEY | _MONEY_HELD))
                | (Q(status=Status.REFUNDED) & _MONEY_BACK),
                name="payments_status_agrees_with_money",
            ),
            models.CheckConstraint(
                condition=Q(captured=0) | ~Q(provider_ref=""),
                name="payments_captured_has_an_intent",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_check_at"],
                name="payments_to_check",
                condition=Q(next_check_at__isnull=False),
            ),
            models.Index(fields=["order_id"], name="payments_of_order"),
            models.Index(fields=["updated_at"], name="payments_touched"),
            models.Index(fields=["-created_at", "-id"], name="payments_newest"),
            models.Index(fields=["status", "-created_at", "-id"], name="payments_by_status"),
            models.Index(
                fields=["provider_ref"], name="payments_by_ref", condition=~Q(provider_ref="")
            ),
        ]

    def __str__(self) -> str:
        return f"payment {self.pk} ({self.status})"

    @property
    def intent_key(self) -> str:
        """The one idempotency key of the intent's creation, the same for do and undo."""
        return f"makegood-{self.pk}-intent"

    @transition(field=status, source=OPEN, target=Status.PROCESSING)
    def begin_confirm(self) -> None:
        """The provider is about to be asked for the money."""

    @transition(field=status, source=OPEN, target=Status.IN_DOUBT)
    def lose_sight(self) -> None:
        """The outcome is unknown until the provider was asked."""

    @transition(field=status, source=OPEN, target=Status.SUCCEEDED)
    def succeed(self) -> None:
        """The provider holds the money for us."""
        self.captured = self.amount

    @transition(field=status, source=OPEN, target=Status.DECLINED)
    def decline(self, *, code: str) -> None:
        """A definite no."""
        self.decline_code = code

    @transition(
        field=status,
        source=[*OPEN, Status.SUCCEEDED, Status.DECLINED],
        target=Status.REVERSING,
    )
    def begin_reversal(self) -> None:
        """From here on no forward call may begin."""

    @transition(field=status, source=[Status.REVERSING, Status.CANCELLED], target=Status.REVERSING)
    def succeed_late(self) -> None:
        """The money came although the charge is being, or was, taken back."""
        self.captured = self.amount

    @transition(
        field=status,
        source=Status.REVERSING,
        target=Status.CANCELLED,
        conditions=[_nothing_captured],
    )
    def cancel(self) -> None:
        """The provider will take no money for the intent."""

    @transition(
        field=status, source=Status.REVERSING, target=Status.REFUNDED, conditions=[_captured]
    )
    def refund(self) -> None:
        """The shopper has it all back."""
        self.refunded = self.captured


class Kind(models.TextChoices):
    CHARGE = "charge"
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
    """One call that moves money, or forbids it: committed with its key before it is sent."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="operations")
    kind = models.CharField(max_length=16, choices=Kind)
    generation = models.PositiveIntegerField(
        help_text="Raised when the provider keeps a useless answer under the key before."
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
                | (Q(kind__in=[Kind.CHARGE, Kind.REFUND]) & Q(amount__gt=0)),
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
