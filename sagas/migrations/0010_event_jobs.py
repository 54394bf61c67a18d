"""The periodic jobs of events, and what of them staff may see and do."""

from importlib import import_module

from django.db import migrations

groups = import_module("sagas.migrations.0006_staff_groups")

#: name -> (task, queue, seconds between two runs)
JOBS = {
    "events: relay, resend and retry what was left": ("events.tick", "events", 5),
    "events: purge what everybody received": ("events.purge", "events", 3600),
    "notifications: send notices": ("notifications.send_notices", "outgoing", 5),
    "notifications: look for webhooks": ("notifications.look_for_webhooks", "outgoing", 5),
    "notifications: purge old notices and webhooks": ("notifications.purge", "outgoing", 3600),
}
#: Whose rows staff may look at.
SEEN = {
    "orders": ["outboxevent", "inboxentry", "timelineentry"],
    "inventory": ["outboxevent"],
    "payments": ["outboxevent"],
    "notifications": [
        "outboxevent", "inboxentry", "notice", "webhookendpoint", "webhookdelivery",
        "webhookattempt",
    ],
}
#: (app, model, permission) of operators.
OPERATOR = [
    ("orders", "inboxentry", "replay_inboxentry"),
    ("notifications", "inboxentry", "replay_inboxentry"),
    ("notifications", "notice", "resend_notice"),
    ("notifications", "webhookendpoint", "add_webhookendpoint"),
    ("notifications", "webhookendpoint", "change_webhookendpoint"),
    ("notifications", "webhookendpoint", "steer_webhookendpoint"),
]


def add(apps, schema_editor):
    alias = schema_editor.connection.alias
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule").objects.using(alias)
    jobs = apps.get_model("django_celery_beat", "PeriodicTask").objects.using(alias)
    for name, (task, queue, seconds) in JOBS.items():
        every, _ = intervals.get_or_create(every=seconds, period="seconds")
        values = {"task": task, "interval": every, "queue": queue, "expire_seconds": max(seconds, 3600)}
        jobs.get_or_create(name=name, defaults=values)
    members = apps.get_model("auth", "Group").objects.using(alias)
    seen = [
        groups._permission(apps, alias, app, model, f"view_{model}")
        for app, models in SEEN.items()
        for model in models
    ]
    done = [groups._permission(apps, alias, *right) for right in OPERATOR]
    for name, permissions in (("viewer", seen), ("support", seen), ("operator", [*seen, *done])):
        group, _ = members.get_or_create(name=name)
        group.permissions.add(*permissions)


def remove(apps, schema_editor):
    alias = schema_editor.connection.alias
    jobs = apps.get_model("django_celery_beat", "PeriodicTask").objects.using(alias)
    jobs.filter(name__in=JOBS).delete()
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    for app, model, codename in OPERATOR:
        permissions.filter(content_type__app_label=app, codename=codename).delete()


class Migration(migrations.Migration):
    dependencies = [("sagas", "0009_waiting_for_others")]

    operations = [migrations.RunPython(add, remove)]
