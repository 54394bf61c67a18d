"""The making of an intent is an operation like the others: its key is committed and has an age."""

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.models import Q

AMOUNTS = models.CheckConstraint(
    condition=(Q(kind="cancel") & Q(amount=0))
    | (Q(kind__in=["intent", "charge", "refund"]) & Q(amount__gt=0)),
    name="payments_operation_amount",
)


class Migration(migrations.Migration):
    # The old rows are checked without a lock that keeps writers out.
    atomic = False
    dependencies = [("payments", "0003_audit")]

    operations = [
        migrations.AlterField(
            "paymentoperation",
            "generation",
            models.PositiveIntegerField(
                help_text="Raised when the key before cannot get through any more."
            ),
        ),
        migrations.AlterField(
            "paymentoperation",
            "kind",
            models.CharField(
                choices=[
                    ("intent", "Intent"),
                    ("charge", "Charge"),
                    ("refund", "Refund"),
                    ("cancel", "Cancel"),
                ],
                max_length=16,
            ),
        ),
        migrations.RemoveConstraint("paymentoperation", "payments_operation_amount"),
        AddConstraintNotValid("paymentoperation", AMOUNTS),
        ValidateConstraint("paymentoperation", "payments_operation_amount"),
    ]
