from importlib import import_module
from pathlib import Path

from django.apps import AppConfig
from django.conf import settings

from sagas.participant import crash
from sagas.participant.crash_plan import FolderPlan


class SagasConfig(AppConfig):
    name = "sagas"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("sagas.checks")  # registers the system checks
        import_module("sagas.events.checks")
        if settings.CRASH_PLAN and settings.ENVIRONMENT == "test":
            crash.arm(FolderPlan(Path(settings.CRASH_PLAN)))
        # After autodiscovery, so that every page that it replaces is there.
        import_module("sagas.console.registrations")
