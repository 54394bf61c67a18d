"""RabbitMQ and Redis servers as brokers, where they run: the same system on either of them."""

import os

import pytest

from sagas.models import Outcome, Saga, StepRun
from tests.conftest import Stack
from tests.waiting import eventually

#: The last database of a Redis is the least likely to be somebody's.
BROKERS = {
    "redis": os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15"),
    "rabbitmq": os.environ.get("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"),
}

pytestmark = [
    pytest.mark.django_db(databases="__all__", transaction=True),
    pytest.mark.parametrize("stack", BROKERS.values(), ids=BROKERS, indirect=True),
]


def test_a_checkout_completes(shop: Stack) -> None:
    assert shop.settled(shop.place(key="completes"))["status"] == "completed"


def test_a_declined_one_is_made_good(shop: Stack) -> None:
    standing = shop.settled(shop.place(key="declined", token="tok_declined"))
    assert (standing["status"], standing["charged"]) == ("failed", 0)
    eventually(lambda: shop.mails(standing["id"]))


def test_a_back_off_is_kept(shop: Stack) -> None:
    standing = shop.settled(shop.place(key="back-off", token="tok_500_before"))
    assert standing["status"] == "completed"
    runs = StepRun.objects.using("default").filter(saga_id=standing["id"], step="charge_payment")
    assert runs[0].outcome == Outcome.IN_DOUBT


def test_a_killed_worker_loses_nothing(shop: Stack) -> None:
    placed = shop.place(key="killed", token="tok_slow_1")
    eventually(
        lambda: Saga.objects.using("default").get(pk=placed.json()["id"]),
        until=lambda saga: saga.state == "INVENTORY_RESERVED" and saga.claimed_at is not None,
    )
    shop.supervisor.kill("outside")
    assert shop.settled(placed)["status"] == "completed"
