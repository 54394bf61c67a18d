"""The broker, each database and a frozen worker: what is accepted survives them all."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connections

from payments.models import Payment
from sagas.models import Outcome, Saga, StepRun
from tests.conftest import Stack, broker, database_urls
from tests.waiting import eventually
from tooling.local import stack as processes

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


def _saga(checkout_id: str) -> Saga:
    return Saga.objects.using("default").get(pk=checkout_id)


@contextmanager
def database_down(variable: str) -> Iterator[None]:
    """Throw everybody out of one database and let nobody in."""
    url = urlsplit(database_urls()[variable])
    name = url.path.lstrip("/")
    connections.close_all()
    maintenance = psycopg.connect(url._replace(path="/postgres").geturl(), autocommit=True)
    with maintenance:
        maintenance.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
        maintenance.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            yield
        finally:
            maintenance.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true')


@pytest.mark.parametrize(
    ("variable", "step"),
    [
        ("ORDERS_DATABASE_URL", "create_order"),
        ("INVENTORY_DATABASE_URL", "reserve_inventory"),
        ("PAYMENTS_DATABASE_URL", "charge_payment"),
        ("NOTIFICATIONS_DATABASE_URL", "send_confirmation"),
    ],
)
def test_a_domain_that_is_down_and_back_delays_its_step_only(
    shop: Stack, variable: str, step: str
) -> None:
    shop.supervisor.stop("domain")
    placed = shop.place(key=f"down-{step}")
    checkout_id = placed.json()["id"]
    with database_down(variable):
        shop.start_worker("domain")
        failed = eventually(
            lambda: _saga(checkout_id), until=lambda saga: saga.error_step == step, timeout=40
        )
        assert failed.error_outcome == Outcome.TRANSIENT
    assert shop.settled(placed)["status"] == "completed"


def test_the_control_plane_that_is_down_and_back_loses_nothing(shop: Stack) -> None:
    shop.supervisor.stop("domain")
    placed = shop.place(key="control")
    with database_down("DATABASE_URL"):
        shop.start_worker("domain")
        shop.supervisor.wait_ready("domain")
        refused = shop.place(key="refused-meanwhile")
        assert refused.status_code == 503
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert "Retry-After" in refused.headers
    assert shop.settled(placed)["status"] == "completed"


def test_a_checkout_is_accepted_while_the_broker_is_down_and_completes_when_it_is_back(
    shop: Stack,
) -> None:
    shop.supervisor.stop("broker")
    try:
        placed = shop.place(key="no-broker")
        assert placed.status_code == 202
        assert _saga(placed.json()["id"]).state == "PENDING"
    finally:
        _restart_broker(shop)
    assert shop.settled(placed)["status"] == "completed"


def test_a_broker_that_hangs_does_not_hang_the_request(shop: Stack) -> None:
    """Guard: the bounded time-outs of publishing; the client here waits 20 s at the most."""
    pid = shop.supervisor.pid("broker")
    os.kill(pid, signal.SIGSTOP)
    try:
        placed = shop.place(key="frozen-broker")
        assert placed.status_code == 202
    finally:
        os.kill(pid, signal.SIGCONT)
    assert shop.settled(placed)["status"] == "completed"


def test_messages_that_a_broker_loses_are_sent_again(shop: Stack) -> None:
    shop.supervisor.stop("domain")
    placed = shop.place(key="lost-messages")
    shop.supervisor.stop("broker")
    for file in (shop.sockets / "appendonlydir").iterdir():
        file.unlink()
    _restart_broker(shop)
    shop.start_worker("domain")
    assert shop.settled(placed)["status"] == "completed"
    assert _saga(placed.json()["id"]).epoch > 1


def test_a_worker_that_freezes_and_comes_back_after_recovery_changes_nothing(shop: Stack) -> None:
    """Guard: the epoch; the frozen worker wakes with the charge in hand and may not save."""
    placed = shop.place(key="frozen", token="tok_slow_2")
    checkout_id = placed.json()["id"]
    eventually(
        lambda: _saga(checkout_id),
        until=lambda saga: saga.state == "INVENTORY_RESERVED" and saga.claimed_at is not None,
    )
    parent, children = shop.supervisor.pid("outside"), shop.supervisor.children("outside")
    _send(signal.SIGSTOP, parent, *children)
    second = processes.worker("outside")
    helper = type(second)(name="outside-2", command=_renamed(second.command), ready=second.ready)
    try:
        shop.supervisor.start(helper)
        assert shop.settled(placed)["status"] == "completed"
        # The parent sleeps on: it would end a child that is beyond its hard time limit.
        _send(signal.SIGCONT, *children)
        eventually(
            lambda: StepRun.objects.using("default").filter(
                saga_id=checkout_id, outcome=Outcome.SUPERSEDED
            ),
            until=lambda runs: runs.exists(),
        )
    finally:
        _send(signal.SIGCONT, *children, parent)
        shop.supervisor.stop("outside-2")
    payment = Payment.objects.using("payments").get(saga_id=checkout_id)
    assert len(shop.ledger()["captures"][payment.provider_ref]) == 1
    assert _saga(checkout_id).state == "COMPLETE"
    assert len(shop.mails(checkout_id)) == 1


def _send(number: signal.Signals, *pids: int) -> None:
    for pid in pids:
        os.kill(pid, number)


def _renamed(command: object) -> list[str]:
    assert isinstance(command, list)
    return [word.replace("outside@", "outside-2@") for word in command]


def _restart_broker(shop: Stack) -> None:
    shop.supervisor.start(broker(shop.sockets))
    shop.supervisor.wait_ready("broker")
