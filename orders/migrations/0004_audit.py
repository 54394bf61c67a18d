"""The audit finds what was written since it last looked."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Greatest

# The connections' limit for a statement is too short for an index of a large table.
NO_LIMIT, USUAL_LIMIT = "SET statement_timeout = 0", "RESET statement_timeout"


class Migration(migrations.Migration):
    # The table is written to while its indexes are built.
    atomic = False
    dependencies = [("orders", "0003_staff_search")]

    operations = [
        migrations.RunSQL(NO_LIMIT, USUAL_LIMIT),
        AddIndexConcurrently(
            "order",
            models.Index(Greatest("created_at", "confirmed_at", "cancelled_at"), name="orders_touched"),
        ),
        migrations.RunSQL(USUAL_LIMIT, NO_LIMIT),
    ]
