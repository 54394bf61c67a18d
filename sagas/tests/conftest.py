"""Fixtures of the engine's tests: a toy saga, and a hand that plays the broker's part."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from celery import current_app
from django.conf import settings as project
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from sagas import executor, journal, operations, registry
from sagas.endings import Ending, Verdict
from sagas.mandates import Mandate
from sagas.models import DATABASE, Saga, new_saga_id
from sagas.tests.toy import Theatre, theatre

#: The word of nobody in particular, who did not look first.
NOBODY = Mandate(operator=None)


@pytest.fixture
def stage(settings: Settings) -> Iterator[Theatre]:
    """Put the toy saga on and hand out what its steps play."""
    settings.SAGAS = {"toy": "sagas.tests.toy.TOY"}
    registry._load.cache_clear()
    theatre.clear()
    yield theatre
    registry._load.cache_clear()


def start_toy(key: str = "key") -> Saga:
    return operations.start(
        kind="toy",
        saga_id=new_saga_id(),
        principal="user:1",
        idempotency_key=key,
        fingerprint="f" * 64,
        input={},
    ).saga


def deliver(saga_id: UUID, *, epoch: int | None = None, step: str | None = None) -> Ending:
    """Run the message that a worker would get now, or a given older one."""
    saga = journal.read(saga_id)
    assert saga.due_direction is not None
    return executor.run(
        executor.Attempt(
            saga_id=saga_id,
            step=step or saga.due_step,
            direction=saga.due_direction,
            epoch=epoch or saga.epoch,
            worker="test",
        )
    )


def drive(saga_id: UUID, *, until: str = "") -> Saga:
    """Deliver message after message, and dispatch when asked to, until the saga rests."""
    for _ in range(100):
        saga = journal.read(saga_id)
        if saga.due_direction is None or saga.parked or saga.state == until:
            return saga
        if deliver(saga_id).verdict is Verdict.WAKE:
            operations.dispatch(saga_id, only_if_due=True)
    raise AssertionError(f"the saga never came to rest: {journal.read(saga_id)}")


def lose_messages() -> None:
    """Let the broker forget what was sent: here tests deliver messages themselves."""
    with current_app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        for queue in project.CELERY_QUEUES:
            channel.queue_purge(queue)


def let_time_pass(saga_id: UUID, *, deadline: bool = False) -> None:
    """Make its lease and its back-off run out, and its deadline too if asked for.

    Its message is lost by then.
    """
    lose_messages()
    past = Now() - timedelta(seconds=1)
    sagas = Saga.objects.using(DATABASE).filter(pk=saga_id)
    revised = {"revision": F("revision") + 1}
    sagas.filter(lease_until__isnull=False).update(lease_until=past, **revised)
    sagas.filter(next_attempt_at__isnull=False).update(next_attempt_at=past, **revised)
    if deadline:
        sagas.update(deadline_at=past, **revised)
