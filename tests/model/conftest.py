"""The shop for the model's runs: real parts, and Celery publishing into a bag."""

import logging
from collections.abc import Callable, Iterator

import pytest
from celery import current_app
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from pytest_django import Settings

from notifications.tests.conftest import MailServer, smtp
from sagas import registry
from sagas.participant import crash
from tests.model.broker import Broker
from tests.model.faults import Faults
from tests.model.outside import Bank
from tests.model.shop import Shop

__all__ = ["smtp"]


@pytest.fixture
def open_shop(
    settings: Settings, transactional_db: None, smtp: MailServer
) -> Iterator[Callable[[], Shop]]:
    """Return what opens a shop for one run, with nothing in it."""
    settings.SAGAS = {"checkout": "tests.model.definition.CHECKOUT"}
    # Every wait is published as a message too, and a rule decides when it is delivered.
    settings.LONGEST_COUNTDOWN = float("inf")
    # When PostgreSQL notices that a session has ended is no rule's choice: claims run out by rules.
    settings.SAGA_WATCH_SESSIONS = False
    settings.PAYMENT_PROVIDER = "fake"
    settings.PAYMENT_READ_TIMEOUT = 20.0
    registry._load.cache_clear()
    bank, broker = Bank(), Broker(current_app)
    connections.close_all()
    connection_created.connect(_do_not_wait_for_the_disk)
    settings.FAKE_PROVIDER_URL = bank.url
    crash.arm(Faults())
    logging.disable(logging.CRITICAL)
    try:
        with broker.in_place():
            yield lambda: Shop(broker, bank, smtp)
    finally:
        logging.disable(logging.NOTSET)
        crash.arm(None)
        connection_created.disconnect(_do_not_wait_for_the_disk)
        connections.close_all()
        bank.close()
        registry._load.cache_clear()


def _do_not_wait_for_the_disk(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Processes of ours die in the runs, servers do not: a commit need not be on disk at once."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
