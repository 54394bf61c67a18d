"""Hints to the relay: one of each process in a slot, and one look that comes after all it tells."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import current_app
from pytest_django import Settings

from orders.models import DATABASE, OutboxEvent
from orders.tests import ears
from orders.tests.ears import say
from sagas.events import broker, tasks
from sagas.events.tests.crew import Worker

pytestmark = pytest.mark.django_db(databases=["orders"], transaction=True)

OUTBOX = OutboxEvent._meta.label


@pytest.fixture
def published(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The broker's queue of events, empty; this process has neither hinted nor looked yet."""
    settings.EVENT_CONSUMERS = ears.HEARD
    monkeypatch.setattr(broker, "_no_hint_before", {})
    monkeypatch.setattr(tasks, "_looked_at", {})
    with current_app.connection_for_read() as connection:
        events = current_app.amqp.queues[broker.QUEUE](connection.channel())
        events.declare()
        events.purge()
        yield events
        events.purge()


def hints(events: Any) -> list[dict[str, Any]]:
    """Take the messages out, and return what those to the relay say."""
    taken = []
    while (message := events.get(no_ack=True)) is not None:
        if message.headers["task"] == broker.RELAY:
            taken.append(message.payload[1])
    return taken


def waiting() -> int:
    return OutboxEvent.objects.using(DATABASE).filter(relayed_at=None).count()


def begin_a_slot() -> float:
    """Wait for the next slot; return when it ends."""
    time.sleep(broker.SLOT - time.time() % broker.SLOT + 0.01)
    return (time.time() // broker.SLOT + 1) * broker.SLOT


def test_a_slot_has_one_hint_of_a_process_and_the_next_slot_another(published: Any) -> None:
    end = begin_a_slot()
    say(1)
    say(2)
    assert hints(published) == [{"outbox": OUTBOX, "due": end}]
    next_end = begin_a_slot()
    say(3)
    assert hints(published) == [{"outbox": OUTBOX, "due": next_end}]


def test_a_look_waits_for_what_is_told_without_a_hint(published: Any) -> None:
    """Guard: the relay looks when the slot ends, not when its hint comes."""
    end = begin_a_slot()
    say(1)
    relay = Worker(lambda: tasks.relay_outbox(outbox=OUTBOX, due=end))
    time.sleep(0.1)
    say(2)
    assert time.time() < end, "too slow to tell of anything in this slot"
    relay.end()
    assert waiting() == 0


def test_one_look_does_for_all_hints_of_its_slot(published: Any) -> None:
    """Guard: a hint whose look has been is left alone."""
    end = begin_a_slot()
    tasks.relay_outbox(outbox=OUTBOX, due=end)
    say(1)
    tasks.relay_outbox(outbox=OUTBOX, due=end)
    assert waiting() == 1
    tasks.relay_outbox(outbox=OUTBOX, due=end + broker.SLOT)
    assert waiting() == 0
