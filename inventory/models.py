"""What the shop sells, how much of it there is, and for whom it is held."""

import re
from uuid import uuid4

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest, Now
from django_fsm import FSMField, FSMModelMixin, transition

from sagas.events.models import AbstractOutboxEvent
from sagas.participant.models import AbstractReceipt

#: The alias of the database that this domain owns.
DATABASE = "inventory"

#: A SKU stands in URLs, mails and logs as it is.
SKU_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
CURRENCY_PATTERN = re.compile(r"[A-Z]{3}")


class Product(models.Model):
    """Something for sale, at a price in minor units of its currency."""

    sku = models.CharField(
        primary_key=True, max_length=64, validators=[RegexValidator(rf"\A{SKU_PATTERN.pattern}\Z")]
    )
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, max_length=2000)
    price = models.BigIntegerField(
        validators=[MinValueValidator(0)], help_text="In minor units: 1250 is 12.50 EUR."
    )
    currency = models.CharField(max_length=3, help_text="ISO 4217, such as EUR.")
    active = models.BooleanField(default=True, help_text="Shown in the shop and sold.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["sku"]
        constraints = [
            models.CheckConstraint(
                condition=Q(sku__regex=rf"^{SKU_PATTERN.pattern}$"), name="inventory_sku_is_plain"
            ),
            models.CheckConstraint(condition=Q(price__gte=0), name="inventory_price_not_negative"),
            models.CheckConstraint(
                condition=Q(currency__regex=rf"^{CURRENCY_PATTERN.pattern}$"),
                name="inventory_currency_is_iso",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.sku})"


class Stock(models.Model):
    """How many units of one product are there, and how many of them are held for orders."""

    product = models.OneToOneField(
        Product, primary_key=True, db_column="sku", on_delete=models.PROTECT, related_name="stock"
    )
    on_hand = models.IntegerField(default=0)
    reserved = models.IntegerField(default=0)
    low_at = models.IntegerField(
        "low at",
        db_default=5,
        validators=[MinValueValidator(0)],
        help_text="Staff are told when no more than so many can be sold.",
    )

    class Meta:
        ordering = ["product"]
        verbose_name_plural = "stock"
        constraints = [
            models.CheckConstraint(
                condition=Q(reserved__gte=0, reserved__lte=F("on_hand")),
                name="inventory_no_oversell",
            ),
            models.CheckConstraint(condition=Q(low_at__gte=0), name="inventory_low_at_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id}: {self.available} of {self.on_hand} available"

    @property
    def available(self) -> int:
        """Units that can still be sold; never negative."""
        return self.on_hand - self.reserved


class Status(models.TextChoices):
    """What became of a reservation."""

    HELD = "HELD", "held"
    RELEASED = "RELEASED", "released"


#: When a reservation was written last.
TOUCHED_AT = Greatest("created_at", "released_at")


class Reservation(FSMModelMixin, models.Model):
    """Stock held for one order; all its lines or none."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    saga_id = models.UUIDField()
    order_id = models.UUIDField()
    status = FSMField(
        max_length=16, choices=Status.choices, default=Status.HELD.value, protected=True
    )
    created_at = models.DateTimeField(db_default=Now())
    released_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["saga_id"], name="inventory_one_reservation_a_saga"),
            models.CheckConstraint(
                condition=Q(status=Status.HELD, released_at__isnull=True)
                | Q(status=Status.RELEASED, released_at__isnull=False),
                name="inventory_released_has_its_time",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="inventory_newest_reservation"),
            models.Index(fields=["status", "-created_at", "-id"], name="inventory_by_status"),
            models.Index(TOUCHED_AT, name="inventory_touched"),
        ]

    def __str__(self) -> str:
        return f"reservation {self.pk} ({self.status})"

    @transition(field=status, source=Status.HELD.value, target=Status.RELEASED.value)
    def release(self) -> None:
        """The stock is free again."""
        self.released_at = Now()


class ReservationLine(models.Model):
    """How many units of one product a reservation holds."""

    reservation = models.ForeignKey(Reservation, on_delete=models.PROTECT, related_name="lines")
    product = models.ForeignKey(
        Product, db_column="sku", on_delete=models.PROTECT, related_name="reservation_lines"
    )
    quantity = models.IntegerField()

    class Meta:
        ordering = ["reservation", "product"]
        constraints = [
            models.UniqueConstraint(
                fields=["reservation", "product"], name="inventory_one_line_a_sku"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gt=0), name="inventory_line_holds_something"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product_id}"


class Receipt(AbstractReceipt):
    class Meta(AbstractReceipt.Meta):
        abstract = False


class OutboxEvent(AbstractOutboxEvent):
    database = DATABASE

    class Meta(AbstractOutboxEvent.Meta):
        abstract = False
