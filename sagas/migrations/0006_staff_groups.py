"""Three groups of staff: viewer, support and operator, each with what the one before may do."""

from django.db import migrations

#: Whose rows staff may look at.
SEEN = {
    "sagas": [
        "saga", "steprun", "operatoraction", "actionoutcome", "assignment", "switch", "switchlog",
        "approval", "bulkrun", "bulkitem", "heartbeat",
    ],
    "orders": ["order", "orderline", "orderevent", "draft"],
    "inventory": ["product", "stock", "reservation", "reservationline"],
    "payments": ["payment", "paymentoperation"],
    "notifications": ["message"],
}  # fmt: skip
SUPPORT = ["retry_saga", "compensate_saga", "ask_saga", "mail_saga", "note_saga"]
OPERATOR = [
    "compensate_saga_past_pivot", "approve_saga", "pause_saga", "resolve_saga", "bulk_saga",
    "export_saga",
]  # fmt: skip


def _permission(apps, alias, app, model, codename):
    """Return the permission; Django makes its rows only after all migrations have run."""
    types = apps.get_model("contenttypes", "ContentType").objects.using(alias)
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    kind, _ = types.get_or_create(app_label=app, model=model)
    permission, _ = permissions.get_or_create(
        content_type=kind, codename=codename, defaults={"name": codename.replace("_", " ")}
    )
    return permission


def make_groups(apps, schema_editor):
    alias = schema_editor.connection.alias
    groups = apps.get_model("auth", "Group").objects.using(alias)
    viewing = [
        _permission(apps, alias, app, model, f"view_{model}")
        for app, models in SEEN.items()
        for model in models
    ]
    support = [_permission(apps, alias, "sagas", "saga", name) for name in SUPPORT]
    operating = [
        *(_permission(apps, alias, "sagas", "saga", name) for name in OPERATOR),
        _permission(apps, alias, "sagas", "switch", "change_switch"),
    ]
    for name, permissions in (
        ("viewer", viewing),
        ("support", [*viewing, *support]),
        ("operator", [*viewing, *support, *operating]),
    ):
        group, _ = groups.get_or_create(name=name)
        group.permissions.add(*permissions)


def remove_groups(apps, schema_editor):
    alias = schema_editor.connection.alias
    groups = apps.get_model("auth", "Group").objects.using(alias)
    groups.filter(name__in=["viewer", "support", "operator"]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("sagas", "0005_append_only_logs"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_groups, remove_groups)]
