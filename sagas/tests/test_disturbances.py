"""A staged fault goes the engine's own roads, hits what was chosen, and no more than that."""

import signal
from threading import Barrier, Thread
from types import FrameType
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.checks import CheckMessage
from django.db import IntegrityError, connections, transaction
from pytest_django import Settings

from sagas import disturbances, executor, journal, operations
from sagas.checks import check_chaos
from sagas.disturbances import ChaosIsOff, Plan
from sagas.endings import Verdict
from sagas.models import (
    Direction,
    Disturbance,
    DisturbedAttempt,
    Fault,
    Outcome,
    Parked,
    Saga,
    StepRun,
    new_saga_id,
)
from sagas.tests.conftest import NOBODY, deliver, drive, start_toy
from sagas.tests.toy import Theatre
from sagas.verbs import compensate, retry

pytestmark = pytest.mark.django_db(databases=["default"], transaction=True)


@pytest.fixture(autouse=True)
def chaos(settings: Settings) -> None:
    settings.STAGING_CHAOS = True


def stage_fault(fault: Fault, step: str = "lock_door", **changes: Any) -> Disturbance:
    values = {"kind": "toy", "direction": Direction.DO, "step": step, "fault": fault, **changes}
    user, _ = User.objects.using("default").get_or_create(username="olga")
    return disturbances.plan(Plan(**values), operator=user, reason="the Friday drill")


def outcomes(saga: Saga, step: str) -> list[str]:
    return [run.outcome for run in saga.runs.using("default") if run.step == step]


def hits() -> int:
    return DisturbedAttempt.objects.using("default").count()


# What becomes of it ----------------------------------------------------------------------


@pytest.mark.parametrize("step", ["lock_door", "board_train", "find_seat"])
def test_a_step_that_fails_is_repeated_and_completes(stage: Theatre, step: str) -> None:
    stage_fault(Fault.FAILS, step, attempts=2)
    saga = drive(start_toy().pk)
    assert saga.state == "COMPLETE"
    assert outcomes(saga, step) == [Outcome.TRANSIENT, Outcome.TRANSIENT, Outcome.SUCCEEDED]
    assert stage.played.count(step) == 1


@pytest.mark.parametrize("step", ["lock_door", "board_train", "find_seat"])
def test_a_step_in_doubt_has_happened_and_is_asked_again(stage: Theatre, step: str) -> None:
    stage_fault(Fault.IN_DOUBT, step)
    saga = drive(start_toy().pk)
    assert saga.state == "COMPLETE"
    assert outcomes(saga, step) == [Outcome.IN_DOUBT, Outcome.SUCCEEDED]
    assert stage.played.count(step) == 2


@pytest.mark.parametrize("step", ["lock_door", "board_train"])
def test_a_step_that_is_refused_turns_the_saga_back(stage: Theatre, step: str) -> None:
    stage_fault(Fault.REFUSED, step)
    saga = drive(start_toy().pk)
    assert (saga.state, saga.reason, saga.reason_step) == ("COMPENSATED", "staged-fault", step)
    assert step not in stage.played


def test_a_step_that_is_refused_past_the_pivot_parks_the_saga(stage: Theatre) -> None:
    stage_fault(Fault.REFUSED, "find_seat")
    saga = drive(start_toy().pk)
    assert (saga.state, saga.parked) == ("ABOARD", Parked.REFUSED_PAST_PIVOT)


def test_a_step_that_fails_to_the_end_of_its_attempts_is_given_up(stage: Theatre) -> None:
    stage_fault(Fault.FAILS, attempts=20)
    saga = drive(start_toy().pk)
    assert (saga.state, saga.reason) == ("COMPENSATED", "retries-exhausted")


@pytest.mark.parametrize(
    ("fault", "outcome"), [(Fault.FAILS, Outcome.TRANSIENT), (Fault.IN_DOUBT, Outcome.IN_DOUBT)]
)
def test_an_undo_that_goes_wrong_is_repeated(
    stage: Theatre, fault: Fault, outcome: Outcome
) -> None:
    stage_fault(fault, direction=Direction.UNDO)
    saga = start_toy()
    drive(saga.pk, until="ABOARD")
    compensate(saga.pk, mandate=NOBODY, past_pivot=True)
    saga = drive(saga.pk)
    assert saga.state == "COMPENSATED"
    undone = saga.runs.using("default").filter(step="lock_door", direction=Direction.UNDO)
    assert [run.outcome for run in undone] == [outcome, Outcome.SUCCEEDED]


def test_an_undo_that_is_refused_fails_the_saga_and_an_operator_can_retry(stage: Theatre) -> None:
    stage_fault(Fault.REFUSED, direction=Direction.UNDO)
    saga = start_toy()
    drive(saga.pk, until="LOCKED")
    operations.cancel(saga.pk)
    failed = drive(saga.pk)
    assert (failed.state, failed.given_up) == ("FAILED", ["lock_door"])
    retry(saga.pk, mandate=NOBODY)
    assert drive(saga.pk).state == "COMPENSATED"


def test_history_names_the_fault_as_staged(stage: Theatre) -> None:
    row = stage_fault(Fault.FAILS)
    saga = drive(start_toy().pk)
    run = saga.runs.using("default").get(outcome=Outcome.TRANSIENT)
    assert (run.error_code, run.error_message) == (
        "staged-fault",
        f"staged fault {row.pk}: lock_door fails (time may heal it)",
    )
    hit = DisturbedAttempt.objects.using("default").get()
    assert (hit.saga_id, hit.attempt, hit.epoch) == (saga.pk, run.attempt, run.epoch)


# A hang ----------------------------------------------------------------------------------


class CutOff(Exception):
    """What a worker's soft time limit raises: from a signal's handler, wherever the code is."""


def deliver_within(saga_id: UUID, seconds: float) -> list[bool]:
    """Deliver one message, cut off by a real signal; return whether a transaction was open then."""
    open_then = list[bool]()

    def cut(number: int, frame: FrameType | None) -> None:
        open_then.append(connections["default"].in_atomic_block)
        raise CutOff

    saga = journal.read(saga_id)
    before = signal.signal(signal.SIGALRM, cut)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        ending = executor.run(
            executor.Attempt(
                saga_id=saga_id,
                step=saga.due_step,
                direction=Direction.DO,
                epoch=saga.epoch,
                timeouts=(CutOff,),
            )
        )
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert ending.verdict is Verdict.WAKE
    return open_then


def test_a_step_that_hangs_is_cut_off_by_its_time_limit_and_holds_no_transaction(
    stage: Theatre,
) -> None:
    stage_fault(Fault.HANGS, "pack_bag")
    saga = start_toy()
    assert deliver_within(saga.pk, 1) == [False]
    assert stage.played == []
    saga = drive(saga.pk)
    assert saga.state == "COMPLETE"
    assert outcomes(saga, "pack_bag") == [Outcome.IN_DOUBT, Outcome.SUCCEEDED]
    first = StepRun.objects.using("default").filter(saga=saga).earliest("id")
    assert first.error_type.endswith("CutOff")


def test_a_hang_ends_by_itself_where_nobody_cuts_it_off(
    stage: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disturbances, "_LONGEST_HANG", 0.01)
    stage_fault(Fault.HANGS)
    saga = drive(start_toy().pk)
    assert outcomes(saga, "lock_door") == [Outcome.TRANSIENT, Outcome.SUCCEEDED]


# Whom it hits ----------------------------------------------------------------------------


def test_nothing_is_staged_and_nothing_goes_wrong_where_it_is_off(
    stage: Theatre, settings: Settings
) -> None:
    stage_fault(Fault.REFUSED)
    settings.STAGING_CHAOS = False
    assert drive(start_toy().pk).state == "COMPLETE"
    assert hits() == 0
    with pytest.raises(ChaosIsOff, match="STAGING_CHAOS"):
        stage_fault(Fault.REFUSED)
    assert Disturbance.objects.using("default").count() == 1


def test_only_the_next_sagas_are_hit_and_only_so_many(stage: Theatre) -> None:
    before = start_toy("before")
    row = stage_fault(Fault.FAILS, most_sagas=2)
    after = [start_toy(f"after-{n}") for n in range(3)]
    for saga in (before, *after):
        assert drive(saga.pk).state == "COMPLETE"
    hit = DisturbedAttempt.objects.using("default").values_list("saga_id", flat=True)
    assert list(hit) == [saga.pk for saga in after[:2]]
    row.refresh_from_db(using="default")
    assert (row.sagas_hit, row.hits) == (2, 2)
    assert not disturbances.active().exists()


def test_only_the_chosen_saga_is_hit(stage: Theatre) -> None:
    chosen, other = start_toy("chosen"), start_toy("other")
    stage_fault(Fault.FAILS, saga_id=chosen.pk)
    drive(other.pk)
    assert hits() == 0
    drive(chosen.pk)
    assert hits() == 1


def test_only_the_chosen_shopper_is_hit(stage: Theatre) -> None:
    stage_fault(Fault.FAILS, principal="user:2")
    drive(start_toy("of user:1").pk)
    assert hits() == 0
    theirs = operations.start(
        kind="toy", saga_id=new_saga_id(), principal="user:2", idempotency_key="k",
        fingerprint="f" * 64, input={},
    ).saga  # fmt: skip
    drive(theirs.pk)
    assert hits() == 1


def test_what_is_stopped_or_past_its_time_hits_nothing(stage: Theatre) -> None:
    stopped = stage_fault(Fault.FAILS)
    olga = User.objects.using("default").get()
    assert disturbances.stop(stopped.pk, operator=olga)
    assert not disturbances.stop(stopped.pk, operator=olga)
    stage_fault(Fault.FAILS, minutes=0)
    assert drive(start_toy().pk).state == "COMPLETE"
    assert hits() == 0


def test_several_plans_for_one_step_hit_one_after_the_other(stage: Theatre) -> None:
    stage_fault(Fault.FAILS)
    stage_fault(Fault.IN_DOUBT)
    saga = drive(start_toy().pk)
    assert outcomes(saga, "lock_door") == [
        Outcome.TRANSIENT,
        Outcome.IN_DOUBT,
        Outcome.SUCCEEDED,
    ]


def test_workers_at_the_same_time_disturb_no_more_sagas_than_planned(stage: Theatre) -> None:
    """Guard: the lock on the plan's row in ``_claim``."""
    row = stage_fault(Fault.FAILS, "pack_bag", most_sagas=3)
    sagas = [start_toy(f"saga-{n}").pk for n in range(8)]
    together(*(lambda saga_id=saga_id: deliver(saga_id) for saga_id in sagas))
    row.refresh_from_db(using="default")
    assert (row.sagas_hit, row.hits, hits()) == (3, 3, 3)
    assert Saga.objects.using("default").filter(state="PACKED").count() == 5


def test_workers_that_claim_for_one_saga_count_each_hit_once(stage: Theatre) -> None:
    """Guard: the same lock, and behind it the key ``sagas_disturbed_once_a_number``."""
    row = stage_fault(Fault.FAILS, "pack_bag", most_sagas=5, attempts=5)
    saga = start_toy()
    deliver(saga.pk)
    claimed = list[bool]()
    saga = journal.read(saga.pk)
    together(*[lambda: claimed.append(disturbances._claim(row, saga))] * 4)
    row.refresh_from_db(using="default")
    assert claimed == [True] * 4
    assert row.hits == 5
    numbers = DisturbedAttempt.objects.using("default").values_list("number", flat=True)
    assert list(numbers) == [1, 2, 3, 4, 5]


def together(*acts: Any) -> None:
    """Run all of them at the same moment, each in a thread and on connections of its own."""
    barrier, errors = Barrier(len(acts)), list[BaseException]()

    def run(act: Any) -> None:
        barrier.wait(timeout=20)
        try:
            act()
        except BaseException as error:  # noqa: BLE001  (told to the test below)
            errors.append(error)
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


# What the database and the checks refuse -------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sagas_disturbance SET reason = 'another'",
        "UPDATE sagas_disturbance SET hits = hits - 1",
        "DELETE FROM sagas_disturbance",
    ],
)
def test_a_plan_stays_as_it_was_made(stage: Theatre, change: str) -> None:
    stage_fault(Fault.FAILS, attempts=2)
    drive(start_toy().pk)
    refused(change, "keeps its plan")


def test_a_stop_is_noted_once(stage: Theatre) -> None:
    row = stage_fault(Fault.FAILS)
    disturbances.stop(row.pk, operator=User.objects.using("default").get())
    refused("UPDATE sagas_disturbance SET stopped_at = now()", "keeps its plan")


def test_more_hits_than_planned_are_refused(stage: Theatre) -> None:
    stage_fault(Fault.FAILS)
    refused("UPDATE sagas_disturbance SET hits = 2", "sagas_disturbs_no_more_than_planned")


def test_a_hit_is_numbered_once(stage: Theatre) -> None:
    stage_fault(Fault.FAILS)
    drive(start_toy().pk)
    columns = "disturbance_id, saga_id, number, attempt, epoch"
    refused(
        f"INSERT INTO sagas_disturbedattempt ({columns}) "
        f"SELECT {columns} FROM sagas_disturbedattempt",
        "sagas_disturbed_once_a_number",
    )


@pytest.mark.parametrize("change", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_what_was_hit_stays_written(stage: Theatre, change: str) -> None:
    stage_fault(Fault.FAILS)
    drive(start_toy().pk)
    refused(change.format("sagas_disturbedattempt"), "append-only")


def refused(sql: str, message: str) -> None:
    with pytest.raises(IntegrityError, match=message), transaction.atomic(using="default"):
        connections["default"].cursor().execute(sql)


@pytest.mark.parametrize("environment", ["staging", "development", "test"])
def test_the_check_allows_it_where_no_shopper_pays(settings: Settings, environment: str) -> None:
    settings.ENVIRONMENT = environment
    assert check_chaos() == []


def test_the_check_refuses_it_anywhere_else(settings: Settings) -> None:
    settings.ENVIRONMENT = "production"
    faults: list[CheckMessage] = list(check_chaos())
    assert [fault.id for fault in faults] == ["sagas.E012"]
    assert "MAKEGOOD_ENV" in (faults[0].hint or "")
    settings.STAGING_CHAOS = False
    assert check_chaos() == []
