"""Money that is authorised first and captured later; what a shopper has to do before a charge."""

import django_fsm
from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Now

WITHOUT_MONEY = [
    "CREATED",
    "PROCESSING",
    "REQUIRES_ACTION",
    "IN_DOUBT",
    "AUTHORISED",
    "CAPTURING",
    "DECLINED",
    "CANCELLED",
]
NO_MONEY = Q(captured=0, refunded=0)
MONEY_HELD = Q(captured=F("amount"), refunded__lt=F("captured"))
MONEY_BACK = Q(captured=F("amount"), refunded=F("amount"))

AGREES = models.CheckConstraint(
    condition=(Q(status__in=WITHOUT_MONEY) & NO_MONEY)
    | (Q(status="SUCCEEDED") & MONEY_HELD)
    | (Q(status="REVERSING") & (NO_MONEY | MONEY_HELD))
    | (Q(status="REFUNDED") & MONEY_BACK),
    name="payments_status_agrees_with_money",
)
TO_BE_CAPTURED = models.CheckConstraint(
    condition=~Q(status__in=("AUTHORISED", "CAPTURING"))
    | (Q(manual_capture=True) & ~Q(provider_ref="")),
    name="payments_authorised_to_be_captured",
)
AMOUNTS = models.CheckConstraint(
    condition=(Q(kind="cancel") & Q(amount=0))
    | (Q(kind__in=["intent", "charge", "capture", "refund"]) & Q(amount__gt=0)),
    name="payments_operation_amount",
)


class Migration(migrations.Migration):
    # The old rows are checked without a lock that keeps writers out.
    atomic = False
    dependencies = [("payments", "0004_intent_operations")]

    operations = [
        migrations.AddField(
            "payment",
            "manual_capture",
            models.BooleanField(
                db_default=False,
                default=False,
                help_text="Authorised first, captured by a later step.",
            ),
        ),
        migrations.AlterField(
            "payment",
            "status",
            django_fsm.FSMField(
                choices=[
                    ("CREATED", "created"),
                    ("PROCESSING", "processing"),
                    ("REQUIRES_ACTION", "waiting for the shopper"),
                    ("IN_DOUBT", "in doubt"),
                    ("AUTHORISED", "authorised"),
                    ("CAPTURING", "capturing"),
                    ("SUCCEEDED", "succeeded"),
                    ("DECLINED", "declined"),
                    ("REVERSING", "reversing"),
                    ("CANCELLED", "cancelled"),
                    ("REFUNDED", "refunded"),
                ],
                default="CREATED",
                max_length=16,
                protected=True,
            ),
        ),
        migrations.AlterField(
            "paymentoperation",
            "kind",
            models.CharField(
                choices=[
                    ("intent", "Intent"),
                    ("charge", "Charge"),
                    ("capture", "Capture"),
                    ("refund", "Refund"),
                    ("cancel", "Cancel"),
                ],
                max_length=16,
            ),
        ),
        migrations.CreateModel(
            "PaymentAction",
            [
                (
                    "payment",
                    models.OneToOneField(
                        on_delete=models.CASCADE,
                        primary_key=True,
                        related_name="action",
                        serialize=False,
                        to="payments.payment",
                    ),
                ),
                ("kind", models.CharField(max_length=16)),
                ("url", models.TextField(blank=True)),
                ("client_secret", models.CharField(max_length=255)),
                ("created_at", models.DateTimeField(db_default=Now())),
            ],
        ),
        migrations.RemoveConstraint("payment", "payments_status_agrees_with_money"),
        AddConstraintNotValid("payment", AGREES),
        ValidateConstraint("payment", "payments_status_agrees_with_money"),
        AddConstraintNotValid("payment", TO_BE_CAPTURED),
        ValidateConstraint("payment", "payments_authorised_to_be_captured"),
        migrations.RemoveConstraint("paymentoperation", "payments_operation_amount"),
        AddConstraintNotValid("paymentoperation", AMOUNTS),
        ValidateConstraint("paymentoperation", "payments_operation_amount"),
    ]
