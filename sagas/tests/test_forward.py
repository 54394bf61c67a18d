"""A saga that meets no trouble, and one whose steps have to be tried again."""

import pytest
from django.db.models import F

from sagas import executor, journal, operations
from sagas.endings import Verdict
from sagas.models import Direction, Outcome, Parked, Saga
from sagas.tests.conftest import deliver, drive, let_time_pass, start_toy
from sagas.tests.toy import Busy, Doubtful, Refused, Theatre

pytestmark = pytest.mark.django_db(databases=["default"], transaction=True)


class CutOff(Exception):
    """What Celery raises when an attempt runs too long."""


FORWARD = ["pack_bag", "lock_door", "board_train", "find_seat", "wave_goodbye"]


def test_every_step_is_saved_with_its_state_result_and_history(stage: Theatre) -> None:
    saga = start_toy()
    states = [saga.state]
    while journal.read(saga.pk).due_direction:
        deliver(saga.pk)
        states.append(journal.read(saga.pk).state)
    saga = journal.read(saga.pk)
    assert states == ["PENDING", "PACKED", "LOCKED", "ABOARD", "SEATED", "COMPLETE"]
    assert set(saga.results) == set(FORWARD)
    assert stage.played == FORWARD
    assert [(run.step, run.outcome) for run in saga.runs.using("default")] == [
        (step, Outcome.SUCCEEDED) for step in FORWARD
    ]
    assert saga.finished_at is not None
    assert saga.due_at is None


def test_the_chain_goes_on_only_after_a_saved_step(stage: Theatre) -> None:
    saga = start_toy()
    assert deliver(saga.pk).verdict is Verdict.GO_ON
    stage.script["lock_door"] = [Busy("later")]
    assert deliver(saga.pk).verdict is Verdict.WAKE


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Busy("later"), Outcome.TRANSIENT),
        (ConnectionResetError("gone"), Outcome.TRANSIENT),
        (Doubtful("who knows"), Outcome.IN_DOUBT),
        (KeyError("bug"), Outcome.UNEXPECTED),
    ],
)
def test_an_error_that_may_heal_is_saved_and_tried_again(
    stage: Theatre, error: Exception, outcome: Outcome
) -> None:
    stage.script["lock_door"] = [error]
    saga = drive(start_toy().pk)
    assert saga.state == "COMPLETE"
    assert stage.played.count("lock_door") == 2
    assert (saga.error_step, saga.error_outcome) == ("lock_door", outcome)
    assert saga.error_type.endswith(type(error).__name__)


def test_a_bug_is_tried_a_few_times_only(stage: Theatre) -> None:
    """Guard: the end of retries for unexpected errors, before the step's own."""
    stage.script["wave_goodbye"] = [KeyError("bug")] * 4
    saga = drive(start_toy().pk)
    assert (saga.state, saga.parked) == ("SEATED", Parked.RETRIES_EXHAUSTED)
    assert stage.played.count("wave_goodbye") == 3


def test_an_attempt_that_is_cut_off_is_in_doubt_and_tried_again(stage: Theatre) -> None:
    """Guard: a time limit says nothing about what the other side did."""
    saga = start_toy()
    drive(saga.pk, until="LOCKED")
    stage.script["board_train"] = [CutOff()]
    executor.run(
        executor.Attempt(
            saga_id=saga.pk,
            step="board_train",
            direction=Direction.DO,
            epoch=journal.read(saga.pk).epoch,
            timeouts=(CutOff,),
        )
    )
    assert journal.read(saga.pk).error_outcome == Outcome.IN_DOUBT
    operations.dispatch(saga.pk)
    assert drive(saga.pk).state == "COMPLETE"


def test_a_back_off_is_kept_in_the_row_and_not_dispatched_before_its_time(stage: Theatre) -> None:
    stage.script["pack_bag"] = [Busy("later")]
    saga = start_toy()
    deliver(saga.pk)
    Saga.objects.using("default").filter(pk=saga.pk).update(
        next_attempt_at=journal.in_seconds(60), revision=F("revision") + 1
    )
    assert operations.dispatch(saga.pk, only_if_due=True) is operations.Dispatch.LEFT_ALONE
    let_time_pass(saga.pk)
    assert operations.dispatch(saga.pk, only_if_due=True) is operations.Dispatch.SENT


def test_retries_that_are_exhausted_before_the_pivot_compensate(stage: Theatre) -> None:
    stage.script["lock_door"] = [Busy("later")] * 3
    saga = drive(start_toy().pk)
    assert (saga.state, saga.reason) == ("COMPENSATED", "retries-exhausted")
    assert stage.played[-3:] == ["undo lock_door", "undo pack_bag", "say_sorry"]


def test_retries_that_are_exhausted_past_the_pivot_park_for_a_human(stage: Theatre) -> None:
    stage.script["find_seat"] = [Busy("later")] * 3
    saga = drive(start_toy().pk)
    assert (saga.state, saga.parked) == ("ABOARD", Parked.RETRIES_EXHAUSTED)
    assert not [part for part in stage.played if part.startswith("undo")]


def test_a_refusal_past_the_pivot_parks_for_a_human(stage: Theatre) -> None:
    stage.script["find_seat"] = [Refused("no seats")]
    saga = drive(start_toy().pk)
    assert (saga.state, saga.parked) == ("ABOARD", Parked.REFUSED_PAST_PIVOT)
    assert saga.due_at is None or saga.parked


def test_attempts_start_again_with_the_next_step(stage: Theatre) -> None:
    stage.script["pack_bag"] = [Busy("later"), Busy("later")]
    stage.script["lock_door"] = [Busy("later"), Busy("later")]
    assert drive(start_toy().pk).state == "COMPLETE"
