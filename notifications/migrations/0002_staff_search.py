"""Staff find a mail by its recipient, in any case of letters, and by its status."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Upper

# The connections' limit for a statement is too short for an index of a large table.
NO_LIMIT, USUAL_LIMIT = "SET statement_timeout = 0", "RESET statement_timeout"


class Migration(migrations.Migration):
    # The table is written to while its indexes are built.
    atomic = False
    dependencies = [("notifications", "0001_initial")]

    operations = [
        migrations.RunSQL(NO_LIMIT, USUAL_LIMIT),
        AddIndexConcurrently(
            "message",
            models.Index(
                Upper("recipient"),
                models.F("created_at").desc(),
                name="notifications_by_recipient",
            ),
        ),
        AddIndexConcurrently(
            "message",
            models.Index(fields=["status", "-created_at", "-id"], name="notifications_by_status"),
        ),
        migrations.RunSQL(USUAL_LIMIT, NO_LIMIT),
    ]
