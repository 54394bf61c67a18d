"""One map from app to database; nothing crosses it."""

from typing import Any

from django.apps import apps
from django.db import models

#: Every domain app owns the database of its own name. All other apps (users, admin,
#: the beat schedule, the sagas) are the control plane and live in ``default``.
DATABASE_OF_APP = {
    "orders": "orders",
    "inventory": "inventory",
    "payments": "payments",
    "notifications": "notifications",
}


def database_of(app_label: str) -> str:
    """Return the alias of the database that ``app_label`` owns."""
    return DATABASE_OF_APP.get(app_label, "default")


class AppRouter:
    """Send each app to its own database and refuse relations and migrations that cross."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str:
        return database_of(model._meta.app_label)

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        return database_of(model._meta.app_label)

    def allow_relation(self, obj1: models.Model, obj2: models.Model, **hints: Any) -> bool:
        return database_of(obj1._meta.app_label) == database_of(obj2._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        if app_label not in apps.app_configs:
            return db == "default"
        return db == database_of(app_label)
