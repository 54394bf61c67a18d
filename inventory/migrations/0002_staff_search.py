"""Staff find reservations by their status."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

# The connections' limit for a statement is too short for an index of a large table.
NO_LIMIT, USUAL_LIMIT = "SET statement_timeout = 0", "RESET statement_timeout"


class Migration(migrations.Migration):
    # The table is written to while its indexes are built.
    atomic = False
    dependencies = [("inventory", "0001_initial")]

    operations = [
        migrations.RunSQL(NO_LIMIT, USUAL_LIMIT),
        AddIndexConcurrently(
            "reservation",
            models.Index(fields=["status", "-created_at", "-id"], name="inventory_by_status"),
        ),
        migrations.RunSQL(USUAL_LIMIT, NO_LIMIT),
    ]
