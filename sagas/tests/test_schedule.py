"""The rows of the periodic jobs, as the migrations make them."""

from typing import Any

import pytest
from django.apps import apps
from django.db import connections
from django.db.migrations import RunPython
from django.db.migrations.loader import MigrationLoader
from django_celery_beat.models import PeriodicTask

pytestmark = pytest.mark.django_db(databases=["default"])

#: Clocks are trusted to agree within this, in seconds.
WRONG_BY = 600


@pytest.fixture(autouse=True)
def jobs_of_the_migrations(db: None) -> None:
    """Let the migrations make them again: a test that commits leaves the tables empty behind it."""
    editor = connections["default"].schema_editor()
    for (app, _), migration in sorted(MigrationLoader(None).disk_migrations.items()):
        for operation in migration.operations:
            if app == "sagas" and isinstance(operation, RunPython):
                act: Any = operation.code
                if act.__name__.startswith("add"):
                    act(apps, editor)


def test_a_worker_whose_clock_is_ahead_still_takes_its_ticks() -> None:
    """Guard: ticks expire late, since beat's clock sets the moment and the worker's clock compares.

    A recovery worker with a clock a few seconds ahead would recover nothing, without an error.
    """
    jobs = PeriodicTask.objects.using("default").exclude(name="celery.backend_cleanup")
    expiring = {job.name: job.expire_seconds for job in jobs if job.expire_seconds is not None}
    assert "sagas: recover what is due" in {job.name for job in jobs}
    assert {name for name, seconds in expiring.items() if seconds < WRONG_BY} == set()
