"""Staging chaos in a real browser on the real system: a step goes wrong, the saga makes it good."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from django.db import connections
from django.urls import reverse
from playwright.sync_api import Browser

from sagas.console.tests.conftest import make_groups
from sagas.models import DisturbedAttempt, Outcome, Saga
from tests.browser import Desk, desk, employ, running_browser
from tests.conftest import Stack
from tests.waiting import eventually
from tooling.crashtest.shop import with_plan
from tooling.local import stack as processes

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

#: The processes that look at the setting.
_CONCERNED = ("web", "domain", "outside", "compensation")


@pytest.fixture(scope="module")
def chaotic(stack: Stack) -> Iterator[Stack]:
    """The running system with STAGING_CHAOS on, and as it was before afterwards."""
    _restart(stack, "STAGING_CHAOS=true")
    yield stack
    _restart(stack)


def _restart(stack: Stack, *variables: str) -> None:
    for name in _CONCERNED:
        stack.supervisor.stop(name)
        program = processes.web(stack.ports) if name == "web" else processes.worker(name)
        program = replace(program, command=["env", *variables, *program.command])
        stack.supervisor.start(with_plan(program, stack.plans))
    stack.supervisor.wait_ready(*_CONCERNED, timeout=90)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture
def olga(chaotic: Stack, catalogue: None, browser: Browser) -> Iterator[Desk]:
    """An operator at her desk; the browser must have had nothing to complain of."""
    make_groups()
    employ("olga", "operator")
    sitting = desk(browser, f"http://127.0.0.1:{chaotic.ports.web}", "olga")
    yield sitting
    assert sitting.faults == []
    sitting.page.context.close()


def stage_fault(olga: Desk, part: str, fault: str, *, attempts: int = 1) -> None:
    """Stage a fault on the page that is open, as an operator does."""
    olga.page.get_by_label("What goes wrong").select_option(label=part)
    olga.page.get_by_label("How: the attempt").select_option(fault)
    olga.page.get_by_label("Attempts of each checkout").fill(str(attempts))
    olga.page.get_by_role("button", name="Look at what will happen").click()
    olga.reads("What will happen")
    olga.page.get_by_label("Reason").fill("the Friday drill")
    olga.page.get_by_role("button", name="Stage it").click()
    olga.reads("Staged: ")


def saga_of(placed: httpx.Response) -> Saga:
    return Saga.objects.using("default").get(pk=placed.json()["id"])


def outcomes(saga: Saga, step: str) -> list[str]:
    return [run.outcome for run in saga.runs.using("default") if run.step == step]


def captures(shop: Stack) -> int:
    return sum(len(each) for each in shop.ledger()["captures"].values())


def test_a_charge_in_doubt_is_settled_with_exactly_one_charge(chaotic: Stack, olga: Desk) -> None:
    before = captures(chaotic)
    olga.open(reverse("admin:sagas_chaos"))
    stage_fault(olga, "charge_payment of a checkout", "in_doubt")
    olga.open(reverse("admin:orders_order_changelist"))
    olga.reads("Faults staged: 1")
    placed = chaotic.place(key="in-doubt-on-purpose")
    olga.open(reverse("admin:sagas_saga_change", args=[placed.json()["id"]]))
    assert chaotic.settled(placed)["status"] == "completed"
    assert captures(chaotic) == before + 1
    assert outcomes(saga_of(placed), "charge_payment") == [Outcome.IN_DOUBT, Outcome.SUCCEEDED]
    olga.reads("staged-fault")  # the page has looked again by itself
    olga.open(reverse("admin:sagas_chaos"))
    olga.reads("used up")
    olga.page.get_by_role("link", name=placed.json()["id"]).click()
    olga.reads("Say to the shopper")


def test_a_reservation_that_is_refused_is_compensated(chaotic: Stack, olga: Desk) -> None:
    before = captures(chaotic)
    olga.open(reverse("admin:sagas_chaos"))
    stage_fault(olga, "reserve_inventory of a checkout", "refused")
    placed = chaotic.place(key="refused-on-purpose")
    standing = chaotic.settled(placed)
    assert (standing["status"], standing["reason"]["code"]) == ("failed", "technical-problem")
    assert saga_of(placed).state == "COMPENSATED"
    assert captures(chaotic) == before
    assert chaotic.settled(chaotic.place(key="the-next-is-fine"))["status"] == "completed"


def test_a_confirmation_that_fails_is_repeated_and_completes(chaotic: Stack, olga: Desk) -> None:
    olga.open(reverse("admin:sagas_chaos"))
    stage_fault(olga, "confirm_order of a checkout", "fails", attempts=2)
    placed = chaotic.place(key="failing-on-purpose")
    assert chaotic.settled(placed)["status"] == "completed"
    assert outcomes(saga_of(placed), "confirm_order") == [
        Outcome.TRANSIENT,
        Outcome.TRANSIENT,
        Outcome.SUCCEEDED,
    ]


def test_a_chosen_checkout_whose_charge_hangs_is_cut_off_and_made_good(
    chaotic: Stack, olga: Desk
) -> None:
    before = captures(chaotic)
    chaotic.supervisor.stop("outside")
    placed = chaotic.place(key="hanging-on-purpose")
    eventually(lambda: saga_of(placed), until=lambda saga: saga.state == "INVENTORY_RESERVED")
    olga.open(reverse("admin:sagas_saga_change", args=[placed.json()["id"]]))
    olga.page.get_by_role("link", name="Disturb this checkout").click()
    stage_fault(olga, "charge_payment of a checkout", "hangs")
    olga.reads("Staged by olga")
    outside = processes.worker("outside")
    command = ["env", "STAGING_CHAOS=true", *outside.command]
    chaotic.supervisor.start(replace(outside, command=command))
    eventually(DisturbedAttempt.objects.using("default").exists, timeout=60)
    # A hang that held a transaction would hold it until its time limit of 5 s.
    eventually(open_transactions, until=lambda count: count == 0, timeout=2)
    assert chaotic.settled(placed, timeout=60)["status"] == "completed"
    saga = saga_of(placed)
    assert outcomes(saga, "charge_payment") == [Outcome.IN_DOUBT, Outcome.SUCCEEDED]
    cut = saga.runs.using("default").get(step="charge_payment", outcome=Outcome.IN_DOUBT)
    assert cut.error_type.endswith("CutOff")
    assert captures(chaotic) == before + 1


def open_transactions() -> int:
    """Return how many connections to the control plane sit idle inside a transaction."""
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
        )
        (count,) = cursor.fetchone()
    return int(count)
