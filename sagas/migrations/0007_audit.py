"""The audit: its runs and findings, its schedule, and who may see it and have it run."""

import django.db.models.functions.datetime
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

#: name -> (arguments, seconds between two runs)
JOBS = {
    "sagas: audit what changed": ("{}", 3600),
    "sagas: audit everything": ('{"everything": true}', 24 * 3600),
}
SEEN, MORE = ("auditrun", "finding"), ("run_audit",)

# The connections' limit for a statement is too short for an index of a large table.
NO_LIMIT, USUAL_LIMIT = "SET statement_timeout = 0", "RESET statement_timeout"


def add_jobs(apps, schema_editor):
    alias = schema_editor.connection.alias
    schedules = apps.get_model("django_celery_beat", "IntervalSchedule").objects.using(alias)
    jobs = apps.get_model("django_celery_beat", "PeriodicTask").objects.using(alias)
    for name, (arguments, seconds) in JOBS.items():
        every, _ = schedules.get_or_create(every=seconds, period="seconds")
        jobs.get_or_create(
            name=name,
            defaults={
                "task": "sagas.audit",
                "kwargs": arguments,
                "interval": every,
                "queue": "audit",
                # A run that waited longer than its interval has been overtaken by the next.
                "expire_seconds": seconds,
            },
        )


def remove_jobs(apps, schema_editor):
    alias = schema_editor.connection.alias
    jobs = apps.get_model("django_celery_beat", "PeriodicTask").objects.using(alias)
    jobs.filter(name__in=JOBS).delete()


def _permission(apps, alias, model, codename):
    """Return the permission; Django makes its rows only after all migrations have run."""
    types = apps.get_model("contenttypes", "ContentType").objects.using(alias)
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    kind, _ = types.get_or_create(app_label="sagas", model=model)
    permission, _ = permissions.get_or_create(
        content_type=kind, codename=codename, defaults={"name": codename.replace("_", " ")}
    )
    return permission


def extend_groups(apps, schema_editor):
    """All staff see what the audit found; support and operators may have it run."""
    alias = schema_editor.connection.alias
    groups = apps.get_model("auth", "Group").objects.using(alias)
    seeing = [_permission(apps, alias, model, f"view_{model}") for model in SEEN]
    running = [_permission(apps, alias, "auditrun", name) for name in MORE]
    for name, permissions in (
        ("viewer", seeing), ("support", [*seeing, *running]), ("operator", [*seeing, *running]),
    ):
        for group in groups.filter(name=name):
            group.permissions.add(*permissions)


def reduce_groups(apps, schema_editor):
    alias = schema_editor.connection.alias
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    names = [*(f"view_{model}" for model in SEEN), *MORE]
    permissions.filter(content_type__app_label="sagas", codename__in=names).delete()


class Migration(migrations.Migration):
    # The sagas are written to while their index is built.
    atomic = False
    dependencies = [
        ("sagas", "0006_staff_groups"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scope', models.CharField(choices=[('changed', 'what changed since the last run'), ('everything', 'everything'), ('one', 'one saga')], max_length=16)),
                ('started_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('finished_at', models.DateTimeField(null=True)),
                ('seconds', models.FloatField(default=0)),
                ('sagas', models.PositiveIntegerField(default=0, help_text='Sagas looked at.')),
                ('charges', models.PositiveIntegerField(default=0, help_text="The provider's, looked at.")),
                ('violations', models.PositiveIntegerField(default=0, help_text='Open at its end.')),
                ('waiting', models.PositiveIntegerField(default=0, help_text='Findings that wait for a person.')),
                ('not_looked_at', models.JSONField(default=list, help_text='Sources that did not answer.')),
                ('watermarks', models.JSONField(default=dict)),
            ],
            options={
                'ordering': ['-id'],
                'permissions': [('run_audit', 'Can have the audit run now')],
            },
        ),
        migrations.CreateModel(
            name='Finding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(help_text='What it is about; open once at a time.', max_length=400)),
                ('saga_id', models.UUIDField(help_text='No foreign key: the saga may be missing.', null=True)),
                ('invariant', models.CharField(max_length=64)),
                ('subject', models.CharField(blank=True, max_length=255)),
                ('severity', models.CharField(help_text='A ``Severity`` of ``sagas.auditor``.', max_length=16)),
                ('what', models.CharField(max_length=500)),
                ('amount', models.BigIntegerField(default=0, help_text='At stake, in minor units.')),
                ('currency', models.CharField(blank=True, max_length=3)),
                ('mend', models.CharField(help_text='A ``Mend`` of ``sagas.auditor``.', max_length=32)),
                ('url', models.CharField(help_text='Where it is mended.', max_length=500)),
                ('sources', models.JSONField(default=list, help_text='Whom it was read from.')),
                ('first_seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('last_seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('closed_at', models.DateTimeField(help_text='When it was gone.', null=True)),
            ],
            options={
                'ordering': ['severity', '-amount', 'id'],
            },
        ),
        migrations.RunSQL(NO_LIMIT, USUAL_LIMIT),
        AddIndexConcurrently(
            model_name='saga',
            index=models.Index(fields=['updated_at'], name='sagas_touched'),
        ),
        migrations.RunSQL(USUAL_LIMIT, NO_LIMIT),
        migrations.AddIndex(
            model_name='finding',
            index=models.Index(condition=models.Q(('closed_at', None)), fields=['severity', '-amount', 'id'], name='sagas_findings_open'),
        ),
        migrations.AddIndex(
            model_name='finding',
            index=models.Index(fields=['saga_id'], name='sagas_findings_of_saga'),
        ),
        migrations.AddConstraint(
            model_name='finding',
            constraint=models.UniqueConstraint(condition=models.Q(('closed_at', None)), fields=('key',), name='sagas_finding_open_once'),
        ),
        migrations.RunPython(add_jobs, remove_jobs),
        migrations.RunPython(extend_groups, reduce_groups),
    ]
