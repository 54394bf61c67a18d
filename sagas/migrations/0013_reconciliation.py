"""Reconciliation: runs over a window of the provider's ledger, and their schedule."""

from django.db import migrations, models

JOB, TASK, SECONDS = "sagas: reconcile payments", "sagas.reconcile", 24 * 3600


def add_job(apps, schema_editor):
    alias = schema_editor.connection.alias
    schedules = apps.get_model("django_celery_beat", "IntervalSchedule").objects.using(alias)
    jobs = apps.get_model("django_celery_beat", "PeriodicTask").objects.using(alias)
    every, _ = schedules.get_or_create(every=SECONDS, period="seconds")
    jobs.get_or_create(
        name=JOB,
        defaults={
            "task": TASK,
            "interval": every,
            "queue": "audit",
            # A run that waited longer than its interval has been overtaken by the next.
            "expire_seconds": SECONDS,
        },
    )


def remove_job(apps, schema_editor):
    alias = schema_editor.connection.alias
    jobs = apps.get_model("django_celery_beat", "PeriodicTask").objects.using(alias)
    jobs.filter(name=JOB).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0012_aftersales_groups"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.AddField(
            model_name="auditrun",
            name="payments",
            # Code that is still running inserts rows without it.
            field=models.PositiveIntegerField(
                db_default=0, default=0, help_text="Ours, held against charges."
            ),
        ),
        migrations.AddField(
            model_name="auditrun",
            name="reached",
            field=models.DateTimeField(help_text="Up to where the window was looked at.", null=True),
        ),
        migrations.AddField(
            model_name="auditrun",
            name="since",
            field=models.DateTimeField(
                help_text="Where the window begins, if it has one.", null=True
            ),
        ),
        migrations.AddField(
            model_name="auditrun",
            name="until",
            field=models.DateTimeField(help_text="Where it ends.", null=True),
        ),
        migrations.AlterField(
            model_name="auditrun",
            name="scope",
            field=models.CharField(
                choices=[
                    ("changed", "what changed since the last run"),
                    ("everything", "everything"),
                    ("one", "one saga"),
                    ("ledger", "the provider's charges of a window of time"),
                ],
                max_length=16,
            ),
        ),
        migrations.RunPython(add_job, remove_job),
    ]
