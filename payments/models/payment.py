"""A checkout's payment: how it is paid, how it stands, what its shopper has to do."""

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
    REQUIRES_ACTION = "REQUIRES_ACTION", "waiting for the shopper"
    IN_DOUBT = "IN_DOUBT", "in doubt"
    AUTHORISED = "AUTHORISED", "authorised"
    CAPTURING = "CAPTURING", "capturing"
    SUCCEEDED = "SUCCEEDED", "succeeded"
    DECLINED = "DECLINED", "declined"
    REVERSING = "REVERSING", "reversing"
    CANCELLED = "CANCELLED", "cancelled"
    REFUNDED = "REFUNDED", "refunded"


#: A charge that has no outcome yet, and may still get one.
OPEN = (Status.CREATED, Status.PROCESSING, Status.REQUIRES_ACTION, Status.IN_DOUBT)
#: The bank holds the money for us; it is not captured yet.
HELD = (Status.AUTHORISED, Status.CAPTURING)
#: The charge was taken back, or is being taken back: nothing forward may begin any more.
REVERSED = (Status.REVERSING, Status.CANCELLED, Status.REFUNDED)

_NO_MONEY = Q(captured=0, refunded=0)
_MONEY_HELD = Q(captured=F("amount"), refunded__lt=F("captured"))
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
    manual_capture = models.BooleanField(
        default=False, db_default=False, help_text="Authorised first, captured by a later step."
    )
    captured = models.BigIntegerField(default=0)
    refunded = models.BigIntegerField(default=0)
    refund_pending = models.BigIntegerField(
        default=0, db_default=0, help_text="Set aside for partial refunds that are under way."
    )
    disputed = models.BigIntegerField(
        default=0, db_default=0, help_text="What the shopper's bank wants back, or got back."
    )
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
                condition=Q(refund_pending__gte=0)
                & Q(refunded__lte=F("captured") - F("refund_pending")),
                name="payments_refunds_fit_the_capture",
            ),
            models.CheckConstraint(
                condition=Q(captured=0) | Q(captured=F("amount")),
                name="payments_captured_whole_or_not",
            ),
            models.CheckConstraint(
                condition=(
                    Q(status__in=[*OPEN, *HELD, Status.DECLINED, Status.CANCELLED]) & _NO_MONEY
                )
                | (Q(status=Status.SUCCEEDED) & _MONEY_HELD)
                | (Q(status=Status.REVERSING) & (_NO_MONEY | _MONEY_HELD))
                | (Q(status=Status.REFUNDED) & _MONEY_BACK),
                name="payments_status_agrees_with_money",
            ),
            models.CheckConstraint(
                condition=Q(captured=0) | ~Q(provider_ref=""),
                name="payments_captured_has_an_intent",
            ),
            models.CheckConstraint(
                condition=Q(disputed__gte=0), name="payments_disputed_not_negative"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=HELD) | (Q(manual_capture=True) & ~Q(provider_ref="")),
                name="payments_authorised_to_be_captured",
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

    @transition(field=status, source=OPEN, target=Status.PROCESSING)
    def begin_confirm(self) -> None:
        """The provider is about to be asked for the money."""

    @transition(field=status, source=OPEN, target=Status.IN_DOUBT)
    def lose_sight(self) -> None:
        """The outcome is unknown until the provider was asked."""

    @transition(field=status, source=OPEN, target=Status.REQUIRES_ACTION)
    def require_action(self) -> None:
        """The shopper has to authenticate; the provider goes on by itself afterwards."""

    @transition(field=status, source=OPEN, target=Status.AUTHORISED)
    def authorise(self) -> None:
        """The bank holds the money for us."""

    @transition(field=status, source=HELD, target=Status.CAPTURING)
    def begin_capture(self) -> None:
        """The provider is about to be asked for the money that it holds."""

    @transition(field=status, source=HELD, target=Status.DECLINED)
    def lose_authorisation(self, *, code: str) -> None:
        """The bank holds nothing for us any more."""
        self.decline_code = code

    @transition(field=status, source=[*OPEN, *HELD], target=Status.SUCCEEDED)
    def succeed(self) -> None:
        """The provider holds the money for us."""
        self.captured = self.amount

    @transition(field=status, source=OPEN, target=Status.DECLINED)
    def decline(self, *, code: str) -> None:
        """A definite no."""
        self.decline_code = code

    @transition(
        field=status,
        source=[*OPEN, *HELD, Status.SUCCEEDED, Status.DECLINED],
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
        field=status,
        source=[Status.REVERSING, Status.SUCCEEDED],
        target=Status.REFUNDED,
        conditions=[_captured],
    )
    def refund(self) -> None:
        """The shopper has it all back."""
        self.refunded = self.captured


class PaymentAction(models.Model):
    """What the shopper has to do before a charge can go on; deleted when the charge has moved on.

    The client secret lets whoever has it finish this payment: it is told to the checkout's owner
    only, and never shown to staff.
    """

    payment = models.OneToOneField(
        Payment, on_delete=models.CASCADE, primary_key=True, related_name="action"
    )
    kind = models.CharField(max_length=16)
    url = models.TextField(blank=True)
    client_secret = models.CharField(max_length=255)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"action of payment {self.payment_id}"
