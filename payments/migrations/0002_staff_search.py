"""Staff find a payment by the provider's id and by its status, and see the newest operations."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

# The connections' limit for a statement is too short for an index of a large table.
NO_LIMIT, USUAL_LIMIT = "SET statement_timeout = 0", "RESET statement_timeout"


class Migration(migrations.Migration):
    # The table is written to while its indexes are built.
    atomic = False
    dependencies = [("payments", "0001_initial")]

    operations = [
        migrations.RunSQL(NO_LIMIT, USUAL_LIMIT),
        AddIndexConcurrently(
            "payment",
            models.Index(fields=["status", "-created_at", "-id"], name="payments_by_status"),
        ),
        AddIndexConcurrently(
            "payment",
            models.Index(
                fields=["provider_ref"],
                name="payments_by_ref",
                condition=~models.Q(provider_ref=""),
            ),
        ),
        AddIndexConcurrently(
            "paymentoperation",
            models.Index(fields=["-created_at", "-id"], name="payments_newest_operation"),
        ),
        migrations.RunSQL(USUAL_LIMIT, NO_LIMIT),
    ]
