"""What runs: workers that answer, messages that wait, and the ticks of the recovery."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.core.cache import cache
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from sagas.console import workers
from sagas.console.tests.rows import NOW
from sagas.console.workers import Line
from sagas.models import DATABASE, Heartbeat

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """No answer of the workers is left over from another test."""
    cache.clear()
    yield
    cache.clear()


def test_recovery_that_ticks_is_well_and_one_that_stopped_is_not() -> None:
    every, _ = IntervalSchedule.objects.using(DATABASE).get_or_create(every=5, period="seconds")
    PeriodicTask.objects.using(DATABASE).get_or_create(
        name="sagas: recover what is due", defaults={"task": "sagas.recover", "interval": every}
    )
    assert "celery-beat seems to be down" in workers.pulse(now=NOW).fault
    beat = Heartbeat.objects.using(DATABASE).create(name="recovery", beat_at=NOW)
    assert workers.pulse(now=NOW + timedelta(seconds=20)).fault == ""
    assert workers.pulse(now=NOW + timedelta(seconds=31)).fault
    jobs = PeriodicTask.objects.using(DATABASE).filter(task="sagas.recover")
    jobs.update(last_run_at=NOW)
    assert "no worker takes its messages" in workers.pulse(now=NOW + timedelta(minutes=1)).fault
    beat.beat_at = NOW + timedelta(minutes=1)
    beat.save(using=DATABASE)
    jobs.update(enabled=False)
    assert "switched off" in workers.pulse(now=beat.beat_at).fault


def test_messages_that_wait_are_counted_and_nobody_serves_them() -> None:
    before = _line("payments").waiting
    for _ in range(2):
        current_app.send_task("sagas.nothing", queue="payments")
    cache.clear()
    after = _line("payments")
    with current_app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        channel.queue_purge("payments")
    assert (after.waiting - before, after.workers) == (2, 0)


def test_a_worker_that_runs_is_counted_for_the_queues_that_it_serves() -> None:
    with a_worker("notifications"):
        for _ in range(60):
            cache.clear()
            crew = workers.crew()
            if crew.workers:
                break
    assert [name.partition("@")[0] for name in crew.workers] == ["console-test"]
    assert {line.name: line.workers for line in crew.queues}["notifications"] == 1
    assert "notifications" not in crew.unserved
    assert "payments" in crew.unserved


def test_an_answer_serves_several_looks() -> None:
    assert workers.remembered() is None
    assert workers.crew() is not None
    assert workers.remembered() == workers.crew()


def _line(name: str) -> Line:
    return next(line for line in workers.crew().queues if line.name == name)


@contextmanager
def a_worker(queue: str) -> Iterator[None]:
    """Run a worker process on one queue, which holds nothing while tests run."""
    command = [
        *(sys.executable, "-m", "celery", "-A", "config.celery", "worker", "--pool", "solo"),
        *("--queues", queue, "--hostname", "console-test@%h", "--loglevel", "ERROR"),
        *("--without-mingle", "--without-gossip"),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as worker:
        try:
            yield
        finally:
            worker.terminate()
