"""The rows of the periodic jobs, as the migrations make them."""

import pytest
from django_celery_beat.models import PeriodicTask

pytestmark = pytest.mark.django_db(databases=["default"])

#: Clocks are trusted to agree within this, in seconds.
WRONG_BY = 600


def test_a_worker_whose_clock_is_ahead_still_takes_its_ticks() -> None:
    """Guard: ticks expire late, since beat's clock sets the moment and the worker's clock compares.

    A recovery worker with a clock a few seconds ahead would recover nothing, without an error.
    """
    jobs = PeriodicTask.objects.using("default").exclude(name="celery.backend_cleanup")
    expiring = {job.name: job.expire_seconds for job in jobs if job.expire_seconds is not None}
    assert "sagas: recover what is due" in {job.name for job in jobs}
    assert {name for name, seconds in expiring.items() if seconds < WRONG_BY} == set()
