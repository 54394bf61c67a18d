"""The audit finds what was written since it last looked."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Greatest

# The connections' limit for a statement is too short for an index of a large table.
NO_LIMIT, USUAL_LIMIT = "SET statement_timeout = 0", "RESET statement_timeout"


class Migration(migrations.Migration):
    # The table is written to while its indexes are built.
    atomic = False
    dependencies = [("notifications", "0002_staff_search")]

    operations = [
        migrations.RunSQL(NO_LIMIT, USUAL_LIMIT),
        AddIndexConcurrently(
            "message",
            models.Index(Greatest("created_at", "sent_at"), name="notifications_touched"),
        ),
        migrations.RunSQL(USUAL_LIMIT, NO_LIMIT),
    ]
