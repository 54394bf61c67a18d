"""Processes die, or freeze, at the nastiest crash points, and every checkout ends as it must.

`make crash-test` does the same at every point, many times (docs/crash-test.md).
"""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from sagas.participant.crash import Moment
from sagas.participant.crash_plan import How
from tests.conftest import Stack
from tooling.crashtest.case import Case, Order
from tooling.crashtest.play import SCENARIOS, staged
from tooling.crashtest.running import run
from tooling.crashtest.scenario import Stage
from tooling.crashtest.shop import Shop, plans_in
from tooling.local import stack as processes

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

BEFORE, AFTER = Moment.BEFORE, Moment.AFTER


@pytest.fixture
def stage(shop: Stack, settings: Settings) -> Iterator[Stage]:
    """The running system of this folder, as the crash test sees it; its audit runs in here."""
    settings.FAKE_PROVIDER_URL = f"http://127.0.0.1:{shop.ports.provider}"
    _forget_charges(shop)
    seen = Shop(
        supervisor=shop.supervisor,
        ports=shop.ports,
        mails=shop.folder / "mails",
        journal=shop.folder / "provider.jsonl",
        plans=plans_in(shop.plans),
        plans_folder=shop.plans,
        environment={"BROKER_URL": shop.broker_url},
        frozen=8.0,
    )
    with staged(seen) as stage:
        yield stage


def _forget_charges(shop: Stack) -> None:
    """Give the provider empty books: tables are emptied between tests, and the audit compares."""
    shop.supervisor.stop("provider")
    journal = shop.folder / "provider.jsonl"
    journal.unlink()
    shop.supervisor.start(processes.provider(journal, shop.ports))
    shop.supervisor.wait_ready("provider")


def order(program: str, point: str, moment: Moment, how: How, times: int = 1) -> Order:
    return Order(program=program, point=point, moment=moment, times={how: times})


def faults(stage: Stage, scenario: str, *orders: Order, count: int) -> list[str]:
    """Return what is wrong after these orders met a scenario."""
    played = SCENARIOS[scenario]
    case = Case(orders=orders, scenario=scenario, road=played.road, count=count, seed=1)
    report = run(stage, case, played)
    return [*report.faults, *(f"too few have ended at {order}" for order in report.missing)]


def test_children_that_die_on_the_way_forward_lose_nothing(stage: Stage) -> None:
    assert not faults(
        stage,
        "all goes well",
        order("web", "sagas.publish", BEFORE, How.EXIT),
        order("domain", "sagas.save", BEFORE, How.EXIT),
        order("domain", "inventory.reserve_stock", AFTER, How.EXIT),
        order("outside", "payments.confirm", BEFORE, How.EXIT),
        order("outside", "payments.confirm", AFTER, How.EXIT),
        order("outside", "sagas.save", AFTER, How.EXIT),
        order("outside", "notifications.deliver", AFTER, How.EXIT),
        count=6,
    )


def test_whole_workers_that_die_around_the_charge_lose_nothing(stage: Stage) -> None:
    assert not faults(
        stage,
        "all goes well",
        order("outside", "payments.confirm", BEFORE, How.KILL),
        order("outside", "payments.confirm", AFTER, How.KILL),
        count=4,
    )


def test_children_that_die_on_the_way_back_refund_once(stage: Stage) -> None:
    assert not faults(
        stage,
        "compensated past the pivot",
        order("compensation", "payments.refund", BEFORE, How.EXIT),
        order("compensation", "payments.refund", AFTER, How.EXIT),
        order("compensation", "inventory.release_stock", AFTER, How.EXIT),
        count=4,
    )


def test_a_frozen_worker_that_wakes_after_the_one_that_took_over_died_changes_nothing(
    stage: Stage,
) -> None:
    """Guard: the epoch and the receipts; the saga is in its third worker's hands by then."""
    frozen = Order(
        program="outside",
        point="payments.record_capture",
        moment=AFTER,
        times={How.FREEZE: 1, How.EXIT: 1},
    )
    assert not faults(stage, "all goes well", frozen, count=1)
