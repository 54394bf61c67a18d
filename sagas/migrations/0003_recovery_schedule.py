"""The periodic jobs, as rows that staff can change in the admin."""

from django.conf import settings
from django.db import migrations

#: name -> (task, queue, seconds between two runs)
JOBS = {
    "sagas: recover what is due": ("sagas.recover", "recovery", settings.SAGA_RECOVERY_INTERVAL),
    "payments: find late successes": ("payments.sweep_late_successes", "payments", 60),
    "sagas: go on with bulk runs": ("sagas.bulk_tick", "compensation", 5),
    "orders: purge old drafts": ("orders.purge_drafts", "orders", 3600),
    "payments: purge old methods": ("payments.purge_methods", "payments", 3600),
}


def add_jobs(apps, schema_editor):
    alias = schema_editor.connection.alias
    schedules = apps.get_model("django_celery_beat", "IntervalSchedule").objects.using(alias)
    jobs = apps.get_model("django_celery_beat", "PeriodicTask").objects.using(alias)
    for name, (task, queue, seconds) in JOBS.items():
        every, _ = schedules.get_or_create(every=seconds, period="seconds")
        jobs.get_or_create(
            name=name,
            defaults={
                "task": task,
                "interval": every,
                "queue": queue,
                # Bounds what piles up while nobody takes ticks. Not less: the worker's clock decides,
                # and one that is minutes ahead would find every tick too old.
                "expire_seconds": 3600,
            },
        )


def remove_jobs(apps, schema_editor):
    alias = schema_editor.connection.alias
    jobs = apps.get_model("django_celery_beat", "PeriodicTask").objects.using(alias)
    jobs.filter(name__in=JOBS).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0002_history_and_epoch_guards"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(add_jobs, remove_jobs)]
