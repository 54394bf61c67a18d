"""Support cancels orders; operators give parts of them back, and warehouses mark them shipped."""

from importlib import import_module

from django.db import migrations

_groups = import_module("sagas.migrations.0006_staff_groups")

SEEN = {
    "orders": ["return", "returnline"],
}
SUPPORT = [("sagas", "saga", "cancel_order"), ("orders", "order", "ship_order")]
OPERATOR = [("sagas", "saga", "refund_order")]


def extend_groups(apps, schema_editor):
    alias = schema_editor.connection.alias
    groups = apps.get_model("auth", "Group").objects.using(alias)
    viewing = [
        _groups._permission(apps, alias, app, model, f"view_{model}")
        for app, models in SEEN.items()
        for model in models
    ]
    support = [_groups._permission(apps, alias, *each) for each in SUPPORT]
    operating = [_groups._permission(apps, alias, *each) for each in OPERATOR]
    for name, permissions in (
        ("viewer", viewing),
        ("support", [*viewing, *support]),
        ("operator", [*viewing, *support, *operating]),
    ):
        group, _ = groups.get_or_create(name=name)
        group.permissions.add(*permissions)


class Migration(migrations.Migration):
    dependencies = [("sagas", "0011_followers")]

    operations = [migrations.RunPython(extend_groups, migrations.RunPython.noop)]
