"""Staff find an order by its e-mail, in any case of letters, and by its status."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Upper

# The connections' limit for a statement is too short for an index of a large table.
NO_LIMIT, USUAL_LIMIT = "SET statement_timeout = 0", "RESET statement_timeout"


class Migration(migrations.Migration):
    # The table is written to while its indexes are built.
    atomic = False
    dependencies = [("orders", "0002_events_append_only")]

    operations = [
        migrations.RunSQL(NO_LIMIT, USUAL_LIMIT),
        AddIndexConcurrently(
            "order",
            models.Index(
                Upper("email"), models.F("created_at").desc(), name="orders_by_email_any_case"
            ),
        ),
        RemoveIndexConcurrently("order", "orders_by_email"),
        AddIndexConcurrently(
            "order",
            models.Index(fields=["status", "-created_at", "-id"], name="orders_by_status"),
        ),
        migrations.RunSQL(USUAL_LIMIT, NO_LIMIT),
    ]
