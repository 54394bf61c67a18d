"""The shop's own systems that are told of events, and every request to them."""

from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from sagas.events.facts import new_event_id


class WebhookEndpoint(models.Model):
    """One address of one of the shop's systems, and what it is told of."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    url = models.URLField(max_length=500)
    description = models.CharField(max_length=200, blank=True)
    event_types = models.JSONField(default=list)
    #: What the secret is derived from; useless without settings.WEBHOOK_KEY.
    seed = models.CharField(max_length=64)
    previous_seed = models.CharField(max_length=64, blank=True)
    previous_until = models.DateTimeField(
        null=True, help_text="Until when the secret before this one signs as well."
    )
    secret_shown_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    disabled_at = models.DateTimeField(null=True)
    disabled_why = models.CharField(max_length=64, blank=True)
    failing_since = models.DateTimeField(null=True, help_text="Since when nothing got through.")
    busy_until = models.DateTimeField(
        null=True, help_text="Until when a worker is taken to be at work on it."
    )

    class Meta:
        ordering = ["created_at"]
        permissions = [("steer_webhookendpoint", "Can turn webhook endpoints on and off, replay")]
        constraints = [
            models.CheckConstraint(
                condition=Q(disabled_at=None, disabled_why="")
                | (Q(disabled_at__isnull=False) & ~Q(disabled_why="")),
                name="notifications_disabled_says_why",
            ),
            models.CheckConstraint(condition=~Q(seed=""), name="notifications_endpoint_has_a_seed"),
        ]

    def __str__(self) -> str:
        return self.url


class DeliveryStatus(models.TextChoices):
    PENDING = "PENDING", "to be sent"
    DELIVERED = "DELIVERED", "delivered"
    GIVEN_UP = "GIVEN_UP", "given up"


class WebhookDelivery(models.Model):
    """One event for one endpoint: the very bytes that are signed, at every attempt."""

    id = models.UUIDField(primary_key=True, default=new_event_id, editable=False)
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries"
    )
    event_id = models.UUIDField(help_text="The receiver knows a double by it.")
    type = models.CharField(max_length=64)
    body = models.TextField(help_text="JSON; ids, codes and amounts only.")
    status = models.CharField(
        max_length=16, choices=DeliveryStatus, default=DeliveryStatus.PENDING.value
    )
    #: Raised by every attempt; whoever is at work on it knows it by this number.
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(
        null=True, help_text="While an attempt runs: when it is taken to be lost."
    )
    last_error = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "event_id"], name="notifications_delivered_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    status=DeliveryStatus.PENDING, next_attempt_at__isnull=False, delivered_at=None
                )
                | Q(
                    status=DeliveryStatus.DELIVERED,
                    next_attempt_at=None,
                    delivered_at__isnull=False,
                )
                | Q(status=DeliveryStatus.GIVEN_UP, next_attempt_at=None, delivered_at=None),
                name="notifications_delivery_has_its_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "next_attempt_at"],
                name="notifications_delivery_due",
                condition=Q(status=DeliveryStatus.PENDING),
            ),
            models.Index(fields=["endpoint", "created_at"], name="notifications_delivery_range"),
            models.Index(fields=["status", "-id"], name="notifications_delivery_status"),
            models.Index(fields=["event_id"], name="notifications_delivery_event"),
            models.Index(fields=["created_at"], name="notifications_delivery_age"),
        ]

    def __str__(self) -> str:
        return f"{self.type} ({self.status})"


class WebhookAttempt(models.Model):
    """One request and what became of it. What the receiver wrote back is not kept."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="log")
    number = models.PositiveIntegerField()
    status_code = models.PositiveIntegerField(null=True)
    error = models.CharField(max_length=100, blank=True)
    duration_ms = models.PositiveIntegerField()
    attempted_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.status_code or self.error}"
