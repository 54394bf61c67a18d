"""A saga that is made good: what is undone, in which order, and what happens if an undo fails."""

import pytest
from pytest_django import Settings

from sagas import journal, operations, verbs
from sagas.endings import Verdict
from sagas.models import Direction, Outcome
from sagas.tests.conftest import NOBODY, deliver, drive, let_time_pass, start_toy
from sagas.tests.toy import Busy, Refused, Theatre

pytestmark = pytest.mark.django_db(databases=["default"], transaction=True)


def test_a_refusal_is_not_retried_and_undoes_from_the_refused_step_backwards(
    stage: Theatre,
) -> None:
    stage.script["board_train"] = [Refused("no ticket")]
    saga = drive(start_toy().pk)
    assert saga.state == "COMPENSATED"
    assert (saga.reason, saga.reason_step) == ("toy-refused", "board_train")
    assert stage.played == [
        "pack_bag",
        "lock_door",
        "board_train",
        "undo board_train",
        "undo lock_door",
        "undo pack_bag",
        "say_sorry",
    ]


def test_an_undo_that_fails_is_tried_again(stage: Theatre) -> None:
    stage.script["board_train"] = [Refused("no ticket")]
    stage.script["undo lock_door"] = [Busy("later"), KeyError("bug")]
    saga = drive(start_toy().pk)
    assert saga.state == "COMPENSATED"
    assert stage.played.count("undo lock_door") == 3
    assert stage.played.count("undo board_train") == 1


def test_an_exhausted_undo_fails_the_saga_after_the_other_undos_ran(stage: Theatre) -> None:
    stage.script["board_train"] = [Refused("no ticket")]
    stage.script["undo board_train"] = [Busy("later")] * 3
    saga = drive(start_toy().pk)
    assert saga.state == "FAILED"
    assert saga.given_up == ["board_train"]
    assert set(saga.undone) == {"pack_bag", "lock_door"}
    assert "say_sorry" not in stage.played
    assert saga.due_at is None


def test_an_operators_retry_of_a_failed_saga_runs_only_the_undo_that_is_missing(
    stage: Theatre,
) -> None:
    stage.script["board_train"] = [Refused("no ticket")]
    stage.script["undo board_train"] = [Refused("never")]
    saga = drive(start_toy().pk)
    assert saga.state == "FAILED"
    stage.played.clear()
    verbs.retry(saga.pk, mandate=NOBODY)
    saga = drive(saga.pk)
    assert saga.state == "COMPENSATED"
    assert stage.played == ["undo board_train", "say_sorry"]
    assert [action.verb for action in saga.operator_actions.using("default")] == ["retry"]


def test_the_apology_is_tried_again_and_never_holds_the_state_back(stage: Theatre) -> None:
    stage.script["pack_bag"] = [Refused("no bag")]
    stage.script["say_sorry"] = [Busy("later")]
    saga = start_toy()
    while journal.read(saga.pk).state != "COMPENSATED":
        if deliver(saga.pk).verdict is Verdict.WAKE:
            operations.dispatch(saga.pk, only_if_due=True)
    assert journal.read(saga.pk).finished_at is not None
    saga = drive(saga.pk)
    assert stage.played.count("say_sorry") == 2
    assert saga.due_at is None


def test_an_apology_that_is_exhausted_leaves_the_saga_compensated(stage: Theatre) -> None:
    stage.script["pack_bag"] = [Refused("no bag")]
    stage.script["say_sorry"] = [Busy("later")] * 3
    saga = drive(start_toy().pk)
    assert saga.state == "COMPENSATED"
    assert saga.due_at is None
    told = saga.runs.using("default").filter(direction=Direction.FOLLOW_UP)
    assert [run.outcome for run in told] == [Outcome.TRANSIENT] * 3


def test_past_the_deadline_before_the_pivot_the_message_compensates(stage: Theatre) -> None:
    saga = start_toy()
    deliver(saga.pk)
    let_time_pass(saga.pk, deadline=True)
    saga = drive(saga.pk)
    assert (saga.state, saga.reason) == ("COMPENSATED", "deadline")
    assert "lock_door" not in stage.played
    assert stage.played[1:] == ["undo lock_door", "undo pack_bag", "say_sorry"]


def test_past_the_deadline_recovery_compensates_what_no_message_reaches(stage: Theatre) -> None:
    saga = start_toy()
    let_time_pass(saga.pk, deadline=True)
    assert operations.dispatch(saga.pk, only_if_due=True) is operations.Dispatch.SENT
    assert journal.read(saga.pk).state == "COMPENSATING"
    assert drive(saga.pk).state == "COMPENSATED"


def test_a_message_that_waits_before_the_pivot_is_looked_for_at_the_deadline(
    stage: Theatre, settings: Settings
) -> None:
    settings.SAGA_QUEUE_LEASE = 10_000
    saga = start_toy()
    deliver(saga.pk)
    saga = journal.read(saga.pk)
    assert saga.lease_until == saga.deadline_at
    deliver(saga.pk)
    deliver(saga.pk)
    saga = journal.read(saga.pk)
    assert saga.state == "ABOARD"
    assert saga.lease_until is not None
    assert saga.lease_until > saga.deadline_at


def test_the_deadline_does_not_hold_past_the_pivot(stage: Theatre) -> None:
    saga = start_toy()
    drive(saga.pk, until="ABOARD")
    let_time_pass(saga.pk, deadline=True)
    operations.dispatch(saga.pk)
    assert drive(saga.pk).state == "COMPLETE"
