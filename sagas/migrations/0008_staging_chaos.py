"""Faults that operators stage on a staging site, and the log of what they hit."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Now

#: A plan stays as it was made: only its hits are counted, and its stop is noted once.
LOGS = """
CREATE FUNCTION sagas_disturbance_keeps_its_plan() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    counted CONSTANT text[] := ARRAY['hits', 'sagas_hit', 'stopped_at', 'stopped_by_id'];
BEGIN
    IF TG_OP = 'DELETE'
        OR to_jsonb(NEW) - counted <> to_jsonb(OLD) - counted
        OR NEW.hits < OLD.hits OR NEW.sagas_hit < OLD.sagas_hit
        OR OLD.stopped_at IS NOT NULL
    THEN
        RAISE EXCEPTION 'a disturbance keeps its plan' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sagas_disturbance_keeps_its_plan BEFORE UPDATE OR DELETE ON sagas_disturbance
    FOR EACH ROW EXECUTE FUNCTION sagas_disturbance_keeps_its_plan();
CREATE TRIGGER sagas_disturbedattempt_append_only BEFORE UPDATE OR DELETE ON sagas_disturbedattempt
    FOR EACH ROW EXECUTE FUNCTION sagas_refuse_change();
"""

LOGS_UNDONE = """
DROP TRIGGER sagas_disturbedattempt_append_only ON sagas_disturbedattempt;
DROP TRIGGER sagas_disturbance_keeps_its_plan ON sagas_disturbance;
DROP FUNCTION sagas_disturbance_keeps_its_plan();
"""


def allow_operators(apps, schema_editor):
    """Give the group the permission; Django makes its row only after all migrations have run."""
    alias = schema_editor.connection.alias
    types = apps.get_model("contenttypes", "ContentType").objects.using(alias)
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    kind, _ = types.get_or_create(app_label="sagas", model="disturbance")
    permission, _ = permissions.get_or_create(
        content_type=kind,
        codename="disturb_saga",
        defaults={"name": "Can make steps go wrong on purpose, on a staging site"},
    )
    group, _ = apps.get_model("auth", "Group").objects.using(alias).get_or_create(name="operator")
    group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0007_audit"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Disturbance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=64)),
                ("step", models.CharField(max_length=64)),
                ("direction", models.CharField(choices=[("do", "forward"), ("undo", "compensation")], max_length=16)),
                ("fault", models.CharField(choices=[("fails", "fails (time may heal it)"), ("refused", "is refused (a definite no)"), ("hangs", "hangs (until its time limit)"), ("in_doubt", "is in doubt (it happens, the reply is lost)")], max_length=16)),
                ("attempts", models.PositiveIntegerField(help_text="Of each saga, that are disturbed.")),
                ("most_sagas", models.PositiveIntegerField(help_text="How many sagas it may disturb.")),
                ("principal", models.CharField(blank=True, help_text="Only theirs, if given.", max_length=64)),
                ("address", models.GenericIPAddressField(help_text="Where the operator sat.", null=True)),
                ("reason", models.CharField(max_length=500)),
                ("planned_at", models.DateTimeField(db_default=Now())),
                ("ends_at", models.DateTimeField()),
                ("sagas_hit", models.PositiveIntegerField(default=0)),
                ("hits", models.PositiveIntegerField(default=0)),
                ("stopped_at", models.DateTimeField(null=True)),
                ("operator", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("saga", models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="sagas.saga")),
                ("stopped_by", models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("disturb_saga", "Can make steps go wrong on purpose, on a staging site")],
            },
        ),
        migrations.CreateModel(
            name="DisturbedAttempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(help_text="Of this saga's, by this disturbance.")),
                ("attempt", models.PositiveIntegerField()),
                ("epoch", models.PositiveIntegerField()),
                ("disturbed_at", models.DateTimeField(db_default=Now())),
                ("disturbance", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="disturbed_attempts", to="sagas.disturbance")),
                ("saga", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="sagas.saga")),
            ],
            options={"ordering": ["id"]},
        ),
        migrations.AddConstraint(
            model_name="disturbance",
            constraint=models.CheckConstraint(
                condition=Q(sagas_hit__lte=F("most_sagas"), hits__lte=F("most_sagas") * F("attempts")),
                name="sagas_disturbs_no_more_than_planned",
            ),
        ),
        migrations.AddConstraint(
            model_name="disturbedattempt",
            constraint=models.UniqueConstraint(
                fields=("disturbance", "saga", "number"), name="sagas_disturbed_once_a_number"
            ),
        ),
        migrations.RunSQL(LOGS, LOGS_UNDONE),
        migrations.RunPython(allow_operators, migrations.RunPython.noop),
    ]
