"""Who lost a worker or a message has waited already, and goes before all others of its queue."""

from typing import Any
from uuid import UUID

import pytest
from celery import current_app
from celery.canvas import Signature

from sagas import journal, tasks
from sagas.models import DATABASE
from sagas.recovery import recover
from sagas.tests.conftest import deliver, let_time_pass, lose_messages, start_toy
from sagas.tests.toy import Theatre

pytestmark = pytest.mark.django_db(databases=[DATABASE], transaction=True)


@pytest.fixture(autouse=True)
def empty_queues() -> None:
    """Begin without what other tests have sent."""
    lose_messages()


def _taken_from(queue: str) -> list[tuple[UUID, int]]:
    """Take all messages, as a worker would get them: whose saga each is about, and its epoch."""
    found = []
    with current_app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        while message := channel.basic_get(queue, no_ack=True):
            arguments = message.decode()[1]
            found.append((UUID(arguments["saga_id"]), arguments["epoch"]))
    return found


def _links(saga_id: UUID) -> list[Signature]:
    chain: Any = tasks.chain_of(journal.read(saga_id))
    return list(chain.tasks)


def test_a_step_whose_worker_died_goes_before_those_that_wait(stage: Theatre) -> None:
    """Guard: the link that recovery sends has a priority."""
    held_up = start_toy("held up").pk
    journal.claim(journal.read(held_up), time_limit=5)
    let_time_pass(held_up)
    waiting = [start_toy(f"waiting {number}").pk for number in range(2)]
    assert recover().dispatched == [held_up]
    assert _taken_from("orders") == [(held_up, 2), *((each, 1) for each in waiting)]


def test_so_does_one_whose_message_was_lost(stage: Theatre) -> None:
    lost = start_toy("lost").pk
    let_time_pass(lost)
    waiting = start_toy("waiting").pk
    assert recover().dispatched == [lost]
    assert _taken_from("orders") == [(lost, 2), (waiting, 1)]


def test_who_backs_off_takes_its_turn(stage: Theatre) -> None:
    """What fails again and again must not hold those up who would succeed."""
    stage.script["pack_bag"] = [ConnectionError("away")]
    failing = start_toy("failing").pk
    deliver(failing)
    let_time_pass(failing)
    waiting = start_toy("waiting").pk
    assert recover().dispatched == [failing]
    assert _taken_from("orders") == [(waiting, 1), (failing, 2)]


def test_who_was_held_up_and_then_backs_off_takes_its_turn(stage: Theatre) -> None:
    """Guard: an attempt that failed ends what held the saga up before."""
    stage.script["pack_bag"] = [ConnectionError("away")]
    failing = start_toy("failing").pk
    let_time_pass(failing)
    recover()
    deliver(failing)
    let_time_pass(failing)
    waiting = start_toy("waiting").pk
    assert recover().dispatched == [failing]
    assert _taken_from("orders") == [(waiting, 1), (failing, 3)]


def test_only_the_link_that_was_held_up_goes_first(stage: Theatre) -> None:
    saga_id = start_toy().pk
    assert [link.options.get("priority") for link in _links(saga_id)][:2] == [None, None]
    let_time_pass(saga_id)
    recover()
    first, *others = _links(saga_id)
    assert first.options["priority"]
    assert others
    assert {link.options.get("priority") for link in others} == {None}
    deliver(saga_id)
    assert _links(saga_id)[0].options.get("priority") is None
