"""The probes: what they say of each part, and that nothing makes them hang."""

import time
from collections.abc import Iterator
from datetime import timedelta
from threading import Barrier, Event
from typing import Any

import pytest
from django.conf import settings as live_settings
from django.db import connections
from django.db.models.functions import Now
from django.test import Client
from pytest_django import Settings

from config.celery import app
from config.health import run_checks
from config.tests.conftest import silent_server
from sagas.models import DATABASE, Heartbeat

every_database = pytest.mark.django_db(databases=list(live_settings.DATABASES), transaction=True)


def beat(seconds_ago: float = 0) -> None:
    then = Now() - timedelta(seconds=seconds_ago)
    Heartbeat.objects.using(DATABASE).update_or_create(name="recovery", defaults={"beat_at": then})


def probe(client: Client, status: int) -> dict[str, Any]:
    begun = time.monotonic()
    answer = client.get("/readyz")
    assert time.monotonic() - begun < 3.5
    assert answer.status_code == status, answer.content
    assert "no-store" in answer["Cache-Control"]
    for secret in ("postgres", "redis:", "127.0.0.1", "test_"):
        assert secret not in answer.text
    return dict(answer.json()["parts"])


def failed(parts: dict[str, Any]) -> set[str]:
    return {name for name, part in parts.items() if part["status"] != "ok"}


def test_a_live_process_says_so_without_any_input_or_output(client: Client) -> None:
    """pytest-django would refuse the test a database."""
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.head("/healthz").status_code == 200
    assert client.post("/healthz").status_code == 405


@every_database
def test_all_is_well_when_every_part_is_well(client: Client) -> None:
    beat()
    parts = probe(client, 200)
    assert set(parts) == {
        *(f"database:{alias}" for alias in live_settings.DATABASES),
        "broker",
        "recovery",
    }
    assert all(part["latency_ms"] >= 0 for part in parts.values())
    assert parts["recovery"]["age_seconds"] < 5


@every_database
def test_a_recovery_that_never_ran_or_is_late_is_not_ready(client: Client) -> None:
    assert probe(client, 503)["recovery"]["error"] == "RecoveryIsLate"

    beat(seconds_ago=3600)
    parts = probe(client, 503)
    assert failed(parts) == {"recovery"}
    assert 3590 < parts["recovery"]["age_seconds"] < 3700


@pytest.fixture
def move_payments() -> Iterator[Any]:
    """Point the payments database to another port, and back after the test."""
    kept = dict(connections["payments"].settings_dict)

    def move(port: int) -> None:
        # The probes run in threads of their own, whose connections start from these settings.
        connections.databases["payments"].update({"HOST": "127.0.0.1", "PORT": str(port)})

    yield move
    connections.databases["payments"].update(HOST=kept["HOST"], PORT=kept["PORT"])


@every_database
def test_one_database_down_is_named_and_the_others_are_well(
    client: Client, move_payments: Any
) -> None:
    beat()
    with silent_server() as taken:
        port = taken
    move_payments(port)

    parts = probe(client, 503)

    assert failed(parts) == {"database:payments"}
    assert parts["database:payments"]["error"] == "OperationalError"


@every_database
def test_a_database_that_hangs_holds_nothing_up(client: Client, move_payments: Any) -> None:
    beat()
    with silent_server() as port:
        move_payments(port)
        assert failed(probe(client, 503)) == {"database:payments"}


@pytest.fixture
def broker_at() -> Iterator[Any]:
    def move(port: int) -> None:
        app.conf.update(broker_write_url=f"redis://127.0.0.1:{port}/0")

    yield move
    app.conf.update(broker_write_url=None)


@every_database
def test_a_broker_that_is_away_is_named(client: Client, broker_at: Any) -> None:
    beat()
    with silent_server() as taken:
        port = taken
    broker_at(port)
    assert failed(probe(client, 503)) == {"broker"}


@every_database
def test_a_broker_that_hangs_holds_nothing_up(client: Client, broker_at: Any) -> None:
    beat()
    with silent_server() as port:
        broker_at(port)
        parts = probe(client, 503)
    assert failed(parts) == {"broker"}


def test_checks_run_side_by_side_within_their_budget() -> None:
    together, never = Barrier(3), Event()

    def meet() -> dict[str, Any]:
        together.wait(2)
        return {}

    def hang() -> dict[str, Any]:
        never.wait(5)
        return {}

    parts = run_checks({"a": meet, "b": meet, "c": meet, "d": hang}, budget=1)
    never.set()

    assert {name: part.ok for name, part in parts.items()} == {
        "a": True,
        "b": True,
        "c": True,
        "d": False,
    }
    assert parts["d"].members["error"] == "Timeout"


@every_database
def test_a_short_recovery_interval_still_leaves_time_for_a_restart(
    client: Client, settings: Settings
) -> None:
    settings.SAGA_RECOVERY_INTERVAL = 1
    beat(seconds_ago=20)
    assert failed(probe(client, 200)) == set()
