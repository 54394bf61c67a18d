"""Webhooks are kept once; refunds and disputes are kept as the provider has them."""

import uuid

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now

EVENT_STATUSES = [
    ("RECEIVED", "received"),
    ("PROCESSED", "processed"),
    ("GIVEN_UP", "given up"),
]


class Migration(migrations.Migration):
    # The old rows are checked without a lock that keeps writers out.
    atomic = False
    dependencies = [("payments", "0005_authorisations_and_actions")]

    operations = [
        migrations.AddField(
            "payment",
            "disputed",
            models.BigIntegerField(
                db_default=0,
                default=0,
                help_text="What the shopper's bank wants back, or got back.",
            ),
        ),
        AddConstraintNotValid(
            "payment",
            models.CheckConstraint(
                condition=Q(disputed__gte=0), name="payments_disputed_not_negative"
            ),
        ),
        ValidateConstraint("payment", "payments_disputed_not_negative"),
        migrations.CreateModel(
            "ProviderEvent",
            [
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("provider", models.CharField(max_length=32)),
                ("event_id", models.CharField(help_text="The provider's.", max_length=255)),
                ("kind", models.CharField(max_length=64)),
                ("intent_ref", models.CharField(blank=True, max_length=255)),
                ("told_at", models.DateTimeField(help_text="By the provider's clock.")),
                ("received_at", models.DateTimeField(db_default=Now())),
                (
                    "copies",
                    models.PositiveIntegerField(default=1, help_text="How often it was delivered."),
                ),
                (
                    "status",
                    models.CharField(choices=EVENT_STATUSES, default="RECEIVED", max_length=16),
                ),
                (
                    "outcome",
                    models.CharField(blank=True, help_text="What came of it.", max_length=64),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField(db_default=Now(), null=True)),
            ],
            options={
                "ordering": ["-received_at", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("provider", "event_id"), name="payments_one_row_an_event"
                    ),
                    models.CheckConstraint(
                        condition=Q(status="RECEIVED", next_attempt_at__isnull=False)
                        | (~Q(status="RECEIVED") & Q(next_attempt_at__isnull=True)),
                        name="payments_event_is_due_or_done",
                    ),
                ],
                "indexes": [
                    models.Index(
                        fields=["next_attempt_at"],
                        name="payments_events_due",
                        condition=Q(next_attempt_at__isnull=False),
                    ),
                    models.Index(
                        fields=["-received_at", "-id"], name="payments_newest_event"
                    ),
                    models.Index(fields=["intent_ref"], name="payments_events_of_intent"),
                ],
            },
        ),
        migrations.CreateModel(
            "ProviderMovement",
            [
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("refund", "Refund"), ("dispute", "Dispute")], max_length=16
                    ),
                ),
                ("provider_ref", models.CharField(max_length=255)),
                ("amount", models.BigIntegerField(help_text="Minor units.")),
                ("status", models.CharField(max_length=16)),
                ("reason", models.CharField(blank=True, max_length=64)),
                (
                    "is_ours",
                    models.BooleanField(help_text="Whether one of our operations made it."),
                ),
                ("seen_at", models.DateTimeField(db_default=Now())),
                ("updated_at", models.DateTimeField(db_default=Now())),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=models.PROTECT,
                        related_name="movements",
                        to="payments.payment",
                    ),
                ),
            ],
            options={
                "ordering": ["seen_at", "id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("payment", "kind", "provider_ref"),
                        name="payments_one_row_a_movement",
                    ),
                    models.CheckConstraint(
                        condition=Q(amount__gte=0), name="payments_movement_not_negative"
                    ),
                ],
            },
        ),
    ]
