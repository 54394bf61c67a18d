from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

# The connections' limit for a statement is too short for an index of a large table.
NO_LIMIT, USUAL_LIMIT = "SET statement_timeout = 0", "RESET statement_timeout"


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("sagas", "0013_reconciliation"),
    ]

    operations = [
        migrations.AddField(
            model_name="saga",
            name="claimed_by",
            field=models.IntegerField(
                help_text="Process id of the database session that began it.", null=True
            ),
        ),
        migrations.RunSQL(NO_LIMIT, USUAL_LIMIT),
        AddIndexConcurrently(
            model_name="saga",
            index=models.Index(
                condition=models.Q(("claimed_at__isnull", False)),
                fields=["claimed_by"],
                name="sagas_claimed",
            ),
        ),
        migrations.RunSQL(USUAL_LIMIT, NO_LIMIT),
    ]
