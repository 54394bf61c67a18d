"""An attempt may end by waiting for somebody else; webhooks are swept, purged and seen."""

from django.db import migrations, models

OUTCOMES = [
    ("succeeded", "Succeeded"),
    ("refused", "Refused"),
    ("transient", "Transient"),
    ("in_doubt", "in doubt"),
    ("waiting", "waiting for somebody else"),
    ("unexpected", "Unexpected"),
    ("lost", "worker lost"),
    ("superseded", "Superseded"),
]

#: name -> (task, queue, seconds between two runs)
JOBS = {
    "payments: process webhooks": ("payments.sweep_events", "webhooks", 15),
    "payments: purge old webhooks": ("payments.purge_events", "webhooks", 3600),
}
SEEN = ("providerevent", "providermovement")


def add_jobs(apps, schema_editor):
    alias = schema_editor.connection.alias
    schedules = apps.get_model("django_celery_beat", "IntervalSchedule").objects.using(alias)
    jobs = apps.get_model("django_celery_beat", "PeriodicTask").objects.using(alias)
    for name, (task, queue, seconds) in JOBS.items():
        every, _ = schedules.get_or_create(every=seconds, period="seconds")
        jobs.get_or_create(
            name=name,
            defaults={"task": task, "interval": every, "queue": queue, "expire_seconds": max(seconds, 3600)},
        )


def remove_jobs(apps, schema_editor):
    alias = schema_editor.connection.alias
    jobs = apps.get_model("django_celery_beat", "PeriodicTask").objects.using(alias)
    jobs.filter(name__in=JOBS).delete()


def extend_groups(apps, schema_editor):
    """All staff see the provider's webhooks, refunds and disputes."""
    alias = schema_editor.connection.alias
    types = apps.get_model("contenttypes", "ContentType").objects.using(alias)
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    groups = apps.get_model("auth", "Group").objects.using(alias)
    for model in SEEN:
        # Django makes the rows of permissions only after all migrations have run.
        kind, _ = types.get_or_create(app_label="payments", model=model)
        permission, _ = permissions.get_or_create(
            content_type=kind, codename=f"view_{model}", defaults={"name": f"Can view {model}"}
        )
        for group in groups.filter(name__in=("viewer", "support", "operator")):
            group.permissions.add(permission)


def reduce_groups(apps, schema_editor):
    alias = schema_editor.connection.alias
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    names = [f"view_{model}" for model in SEEN]
    permissions.filter(content_type__app_label="payments", codename__in=names).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0008_staging_chaos"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.AlterField(
            "saga",
            "error_outcome",
            models.CharField(blank=True, choices=OUTCOMES, max_length=16),
        ),
        migrations.AlterField(
            "steprun", "outcome", models.CharField(choices=OUTCOMES, max_length=16)
        ),
        migrations.RunPython(add_jobs, remove_jobs),
        migrations.RunPython(extend_groups, reduce_groups),
    ]
