"""Definitions, their back-off, and the system checks that refuse broken ones."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from django.core.checks import CheckMessage
from pytest_django import Settings

from sagas.checkout.saga import CHECKOUT
from sagas.checks import check_definition, check_kind, check_sagas
from sagas.definitions import NOTHING_TO_UNDO, Retry
from sagas.tests.toy import TOY


def _ids(messages: Sequence[CheckMessage]) -> list[str | None]:
    assert all(message.hint for message in messages)
    return [message.id for message in messages]


def _with_step(position: int, **changes: Any) -> list[str | None]:
    steps = list(TOY.steps)
    steps[position] = replace(steps[position], **changes)
    return _ids(list(check_definition(replace(TOY, steps=steps))))


def test_the_shipped_definitions_pass() -> None:
    assert check_sagas() == []
    assert _ids(list(check_definition(TOY))) == []


@pytest.mark.parametrize(
    "path", ["nowhere.AT_ALL", "sagas.tests.toy.NOTHING", "sagas.tests.toy.theatre"]
)
def test_a_path_that_leads_to_no_definition_is_refused(settings: Settings, path: str) -> None:
    settings.SAGAS = {"toy": path}
    assert _ids(list(check_kind("toy"))) == ["sagas.E001"]


def test_an_empty_list_of_definitions_is_refused(settings: Settings) -> None:
    settings.SAGAS = {"toy": []}
    assert _ids(list(check_kind("toy"))) == ["sagas.E001"]


def test_a_kind_under_another_name_or_a_version_twice_is_refused(settings: Settings) -> None:
    settings.SAGAS = {"other": "sagas.tests.toy.TOY"}
    assert _ids(list(check_kind("other"))) == ["sagas.E002"]
    settings.SAGAS = {"toy": ["sagas.tests.toy.TOY", "sagas.tests.toy.TOY"]}
    assert _ids(list(check_kind("toy"))) == ["sagas.E002"]


def test_a_doubled_step_is_refused() -> None:
    assert _with_step(1, name="pack_bag") == ["sagas.E003"]


def test_an_undo_that_is_neither_a_function_nor_nothing_is_refused() -> None:
    assert _with_step(0, undo=None) == ["sagas.E004"]
    assert _with_step(0, undo="later") == ["sagas.E004"]
    assert _with_step(0, undo=NOTHING_TO_UNDO) == []


def test_two_pivots_are_refused() -> None:
    assert "sagas.E005" in _with_step(1, pivot=True)


def test_a_compensatable_step_after_the_pivot_is_refused() -> None:
    assert _with_step(3, undo=lambda saga: {}) == ["sagas.E006"]


@pytest.mark.parametrize("state", ["PENDING", "FAILED", "LOCKED", "COMPLETE"])
def test_a_state_that_is_taken_is_refused(state: str) -> None:
    assert _with_step(0, reaches=state) == ["sagas.E007"]


def test_a_last_step_that_does_not_complete_is_refused() -> None:
    assert _with_step(4, reaches="ALMOST") == ["sagas.E007"]


def test_a_queue_that_nobody_routes_is_refused() -> None:
    assert _with_step(0, queue="attic") == ["sagas.E008"]


def test_limits_that_allow_no_attempt_are_refused() -> None:
    assert _with_step(0, limits=replace(TOY.steps[0].limits, seconds=0)) == ["sagas.E009"]


def test_back_off_grows_has_jitter_and_a_ceiling() -> None:
    retry = Retry(attempts=9, first_delay=1, max_delay=10)
    for attempt, bound in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (60, 10)]:
        waits = [retry.delay_after(attempt) for _ in range(200)]
        assert 0 <= min(waits) < bound / 2 < max(waits) <= bound


def test_the_checkout_is_the_table_of_the_design() -> None:
    assert CHECKOUT.states == [
        "PENDING",
        "ORDER_CREATED",
        "INVENTORY_RESERVED",
        "PAYMENT_CHARGED",
        "ORDER_CONFIRMED",
        "COMPLETE",
    ]
    assert [step.name for step in CHECKOUT.steps if step.pivot] == ["charge_payment"]
    assert [step.name for step in CHECKOUT.steps_to_undo("INVENTORY_RESERVED")] == [
        "charge_payment",
        "reserve_inventory",
        "create_order",
    ]
    assert [step.name for step in CHECKOUT.steps_to_undo("COMPLETE")] == [
        "charge_payment",
        "reserve_inventory",
        "create_order",
    ]


def test_the_pivot_lies_ahead_until_it_is_reached() -> None:
    before = [state for state in CHECKOUT.states if CHECKOUT.is_before_pivot(state)]
    assert before == ["PENDING", "ORDER_CREATED", "INVENTORY_RESERVED"]
