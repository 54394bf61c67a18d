"""Orders, what a shopper posted before there was one, and everything that happened to them."""

from uuid import uuid4

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest, Now, Upper
from django_fsm import FSMField, FSMModelMixin, transition

from sagas.events.models import AbstractInboxEntry, AbstractOutboxEvent
from sagas.participant.models import AbstractReceipt

#: The alias of the database that this domain owns.
DATABASE = "orders"

#: The parts of a shipping address; each is the column ``shipping_<part>`` of a row.
ADDRESS_PARTS = ("name", "line1", "line2", "city", "postal_code", "country")


class Buyer(models.Model):
    """Who buys and where it goes: personal data, which never leaves this database by itself."""

    principal = models.CharField(max_length=64, help_text='Such as "user:42", or "guest".')
    email = models.EmailField(max_length=254)
    shipping_name = models.CharField(max_length=200)
    shipping_line1 = models.CharField(max_length=200)
    shipping_line2 = models.CharField(max_length=200, blank=True)
    shipping_city = models.CharField(max_length=100)
    shipping_postal_code = models.CharField(max_length=20)
    shipping_country = models.CharField(max_length=2, help_text="ISO 3166-1 alpha-2.")

    class Meta:
        abstract = True

    @property
    def shipping_address(self) -> dict[str, str]:
        """The address by its parts, as the API says it."""
        return {part: getattr(self, f"shipping_{part}") for part in ADDRESS_PARTS}


class Draft(Buyer):
    """What a shopper posted, priced; kept after the order is made, until it is purged.

    It is saved before its checkout is, so that one without a checkout can exist; it is harmless.
    """

    checkout_id = models.UUIDField(primary_key=True, editable=False)
    lines = models.JSONField(help_text="SKU, name, quantity and unit price of each line.")
    currency = models.CharField(max_length=3)
    total = models.BigIntegerField(help_text="In minor units.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(total__gte=0), name="orders_draft_total_not_negative"
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="orders_draft_age")]

    def __str__(self) -> str:
        return f"draft of checkout {self.checkout_id}"


class Status(models.TextChoices):
    """Where an order stands."""

    PENDING = "PENDING", "pending"
    CONFIRMED = "CONFIRMED", "confirmed"
    CANCELLED = "CANCELLED", "cancelled"


#: When an order was written last.
TOUCHED_AT = Greatest("created_at", "confirmed_at", "cancelled_at")


class Order(FSMModelMixin, Buyer):
    """An order; its total is the sum of its lines, in minor units of its currency."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    saga_id = models.UUIDField(editable=False)
    number = models.CharField(max_length=16, help_text="What people call it.")
    currency = models.CharField(max_length=3, help_text="ISO 4217.")
    total = models.BigIntegerField(help_text="In minor units.")
    status = FSMField(
        max_length=16, choices=Status.choices, default=Status.PENDING.value, protected=True
    )
    cancel_reason = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True, editable=False)
    cancelled_at = models.DateTimeField(null=True, editable=False)
    shipped_at = models.DateTimeField(null=True, editable=False)
    held_by = models.UUIDField(
        null=True, editable=False, help_text="The cancellation that holds it back."
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        permissions = [("ship_order", "Can mark an order as shipped")]
        constraints = [
            models.UniqueConstraint(fields=["saga_id"], name="orders_one_order_a_saga"),
            models.UniqueConstraint(fields=["number"], name="orders_number_once"),
            models.CheckConstraint(condition=Q(total__gte=0), name="orders_total_not_negative"),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="orders_currency_is_iso"
            ),
            models.CheckConstraint(
                condition=Q(status=Status.PENDING, confirmed_at=None, cancelled_at=None)
                | Q(status=Status.CONFIRMED, confirmed_at__isnull=False, cancelled_at=None)
                | Q(status=Status.CANCELLED, cancelled_at__isnull=False),
                name="orders_status_has_its_time",
            ),
            # Goods leave or the order is cancelled; the database refuses both.
            models.CheckConstraint(
                condition=Q(shipped_at=None)
                | (Q(held_by=None) & ~Q(status=Status.PENDING) & Q(confirmed_at__isnull=False)),
                name="orders_shipped_is_not_held_back",
            ),
        ]
        indexes = [
            models.Index(fields=["principal", "-created_at", "-id"], name="orders_of_principal"),
            models.Index(fields=["-created_at", "-id"], name="orders_newest"),
            # Of a case that shoppers do not keep to.
            models.Index(Upper("email"), F("created_at").desc(), name="orders_by_email_any_case"),
            models.Index(fields=["status", "-created_at", "-id"], name="orders_by_status"),
            models.Index(TOUCHED_AT, name="orders_touched"),
        ]

    def __str__(self) -> str:
        return f"{self.number} ({self.status})"

    @transition(field=status, source=Status.PENDING.value, target=Status.CONFIRMED.value)
    def confirm(self) -> None:
        """It is paid."""
        self.confirmed_at = Now()

    @transition(
        field=status,
        # From CONFIRMED only by an operator: the engine never undoes past the pivot by itself.
        source=[Status.PENDING.value, Status.CONFIRMED.value],
        target=Status.CANCELLED.value,
    )
    def cancel(self, *, reason: str) -> None:
        """Its checkout was undone, for ``reason`` (a kebab-case code)."""
        self.cancel_reason = reason
        self.cancelled_at = Now()


class OrderLine(models.Model):
    """One product of an order, as it was named and priced when it was bought."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines")
    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    quantity = models.IntegerField()
    unit_price = models.BigIntegerField(help_text="In minor units.")
    line_total = models.BigIntegerField(help_text="In minor units.")
    returned = models.IntegerField(default=0, db_default=0, help_text="Units given back for.")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(returned__gte=0) & Q(returned__lte=F("quantity")),
                name="orders_returned_le_bought",
            ),
            models.UniqueConstraint(fields=["order", "sku"], name="orders_one_line_a_sku"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="orders_line_buys_something"),
            models.CheckConstraint(
                condition=Q(unit_price__gte=0), name="orders_unit_price_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(line_total=F("quantity") * F("unit_price")),
                name="orders_line_total_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.sku}"


class EventKind(models.TextChoices):
    """What can happen to an order."""

    CREATED = "created"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    SHIPPED = "shipped"


class OrderEvent(models.Model):
    """Something that happened to an order. The database refuses to change or delete a row."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="events")
    kind = models.CharField(max_length=16, choices=EventKind)
    reason = models.CharField(max_length=64, blank=True)
    happened_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} at {self.happened_at:%Y-%m-%d %H:%M:%S}"


class ReturnStatus(models.TextChoices):
    """Where a return stands."""

    OPEN = "OPEN", "open"
    REFUNDED = "REFUNDED", "refunded"
    WITHDRAWN = "WITHDRAWN", "withdrawn"


class Return(models.Model):
    """A part of an order that staff give money back for, by lines or by an amount."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    saga_id = models.UUIDField(editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="returns")
    amount = models.BigIntegerField(help_text="In minor units.")
    currency = models.CharField(max_length=3, help_text="ISO 4217.")
    reason = models.CharField(max_length=64, help_text="A kebab-case code.")
    status = models.CharField(max_length=16, choices=ReturnStatus, default=ReturnStatus.OPEN)
    created_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["saga_id"], name="orders_one_return_a_saga"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="orders_return_positive"),
            models.CheckConstraint(
                condition=Q(status=ReturnStatus.OPEN, closed_at=None)
                | (~Q(status=ReturnStatus.OPEN) & Q(closed_at__isnull=False)),
                name="orders_return_closed_means_closed",
            ),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="orders_newest_return")]

    def __str__(self) -> str:
        return f"return of {self.amount} {self.currency} ({self.status})"


class ReturnLine(models.Model):
    """Units of one line that money is given back for; while it is not withdrawn, they count."""

    of = models.ForeignKey(Return, on_delete=models.PROTECT, related_name="lines")
    line = models.ForeignKey(OrderLine, on_delete=models.PROTECT, related_name="returns")
    quantity = models.IntegerField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["of", "line"], name="orders_line_once_a_return"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0), name="orders_return_line_has_units"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of line {self.line_id}"


class TimelineEntry(models.Model):
    """What any domain told of a checkout, in the words of the event; read by shopper and staff."""

    saga_id = models.UUIDField()
    type = models.CharField(max_length=64)
    payload = models.JSONField(default=dict, help_text="Ids, codes and amounts only.")
    happened_at = models.DateTimeField(help_text="By the clock of the database that it came from.")

    class Meta:
        # By time and not by arrival: events of several domains arrive in any order.
        ordering = ["happened_at", "id"]
        verbose_name_plural = "timeline entries"
        indexes = [models.Index(fields=["saga_id", "happened_at"], name="orders_timeline")]

    def __str__(self) -> str:
        return f"{self.type} at {self.happened_at:%Y-%m-%d %H:%M:%S}"


class Receipt(AbstractReceipt):
    class Meta(AbstractReceipt.Meta):
        abstract = False


class OutboxEvent(AbstractOutboxEvent):
    database = DATABASE

    class Meta(AbstractOutboxEvent.Meta):
        abstract = False


class InboxEntry(AbstractInboxEntry):
    database = DATABASE

    class Meta(AbstractInboxEntry.Meta):
        abstract = False
