from importlib import import_module

from django.apps import AppConfig


class SagasConfig(AppConfig):
    name = "sagas"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("sagas.checks")  # registers the system checks
        # After autodiscovery, so that every page that it replaces is there.
        import_module("sagas.console.registrations")
