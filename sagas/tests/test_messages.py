"""Messages may be lost, doubled, late or reordered, and nothing breaks."""

import threading

import pytest
from django.db import connections

from sagas import executor, journal, operations
from sagas.endings import Verdict
from sagas.models import Direction, Outcome
from sagas.participant import crash
from sagas.participant.crash import Moment
from sagas.tests.conftest import deliver, drive, let_time_pass, start_toy
from sagas.tests.toy import Busy, Refused, Theatre

pytestmark = pytest.mark.django_db(databases=["default"], transaction=True)


class AllHaveRead:
    """A plan that holds each copy just before its claim until all have come so far."""

    def __init__(self, copies: int) -> None:
        self._barrier = threading.Barrier(copies)

    def reached(self, point: str, moment: Moment) -> None:
        """Wait for the others."""
        if (point, moment) == ("sagas.claim", Moment.BEFORE):
            self._barrier.wait(20)


def test_a_doubled_message_of_a_finished_step_changes_nothing(stage: Theatre) -> None:
    saga = start_toy()
    deliver(saga.pk)
    assert deliver(saga.pk, step="pack_bag").verdict is Verdict.STOP
    assert stage.played == ["pack_bag"]


def test_a_message_of_a_later_step_that_comes_first_changes_nothing(stage: Theatre) -> None:
    saga = start_toy()
    assert deliver(saga.pk, step="board_train").verdict is Verdict.STOP
    assert stage.played == []


def test_a_message_of_an_older_epoch_changes_nothing(stage: Theatre) -> None:
    saga = start_toy()
    operations.dispatch(saga.pk)
    assert deliver(saga.pk, epoch=1).verdict is Verdict.STOP
    assert stage.played == []
    assert drive(saga.pk).state == "COMPLETE"


def test_a_second_copy_finds_the_step_claimed_and_stops(stage: Theatre) -> None:
    """Guard: the claim (``claimed_at``) of the row."""
    saga = start_toy()
    verdicts: list[Verdict] = []
    stage.script["pack_bag"] = [lambda: verdicts.append(deliver(saga.pk).verdict)]
    deliver(saga.pk)
    assert verdicts == [Verdict.STOP]
    assert stage.played == ["pack_bag"]


def test_twenty_copies_at_once_run_the_step_once(stage: Theatre) -> None:
    """Guard: the revision in the claim's counted UPDATE; without it several copies play."""
    saga = start_toy()
    verdicts: list[Verdict] = []

    def copy() -> None:
        try:
            verdicts.append(deliver(saga.pk, step="pack_bag").verdict)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=copy) for _ in range(20)]
    before = crash.armed()
    crash.arm(AllHaveRead(len(threads)))
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        crash.arm(before)
    assert stage.played.count("pack_bag") == 1
    assert verdicts.count(Verdict.GO_ON) == 1
    assert len(verdicts) == 20


def test_a_worker_that_comes_back_after_recovery_took_over_cannot_save(stage: Theatre) -> None:
    """Guard: the epoch in ``journal.save``; without it the frozen worker's result would count."""
    saga = start_toy()

    def frozen_for_ten_minutes() -> None:
        let_time_pass(saga.pk)
        assert operations.dispatch(saga.pk, only_if_due=True) is operations.Dispatch.SENT
        deliver(saga.pk)

    stage.script["pack_bag"] = [frozen_for_ten_minutes]
    assert deliver(saga.pk).verdict is Verdict.STOP
    saga = journal.read(saga.pk)
    assert (saga.state, saga.epoch) == ("PACKED", 2)
    outcomes = [run.outcome for run in saga.runs.using("default")]
    assert outcomes == [Outcome.LOST, Outcome.SUCCEEDED, Outcome.SUPERSEDED]


def test_a_frozen_worker_cannot_save_a_wait_over_the_next_dispatch(stage: Theatre) -> None:
    """Guard: epoch and revision in ``journal.save``; the state is the same before and after."""
    saga = start_toy()

    def taken_over() -> None:
        let_time_pass(saga.pk)
        operations.dispatch(saga.pk, only_if_due=True)
        raise Busy("too late to say so")

    stage.script["pack_bag"] = [taken_over]
    assert deliver(saga.pk).verdict is Verdict.STOP
    saga = journal.read(saga.pk)
    assert (saga.epoch, saga.attempts, saga.next_attempt_at) == (2, 1, None)
    outcomes = [run.outcome for run in saga.runs.using("default")]
    assert outcomes == [Outcome.LOST, Outcome.SUPERSEDED]


def test_a_frozen_worker_cannot_turn_a_saga_back_that_went_on_without_it(stage: Theatre) -> None:
    """Guard: the epoch in ``journal.save``, on the failure's road."""
    saga = start_toy()

    def taken_over() -> None:
        let_time_pass(saga.pk)
        operations.dispatch(saga.pk, only_if_due=True)
        deliver(saga.pk)
        raise Refused("too late to say so")

    stage.script["pack_bag"] = [taken_over]
    deliver(saga.pk)
    assert journal.read(saga.pk).state == "PACKED"


def test_a_doubled_undo_message_changes_nothing(stage: Theatre) -> None:
    """Guard: the revision; the state is COMPENSATING before and after each undo."""
    stage.script["board_train"] = [Refused("no ticket")]
    saga = start_toy()
    drive(saga.pk, until="COMPENSATING")
    epoch = journal.read(saga.pk).epoch
    deliver(saga.pk)
    doubled = executor.Attempt(
        saga_id=saga.pk, step="board_train", direction=Direction.UNDO, epoch=epoch
    )
    assert executor.run(doubled).verdict is Verdict.STOP
    assert stage.played.count("undo board_train") == 1


def test_a_lost_message_is_sent_again_when_the_lease_has_run_out(stage: Theatre) -> None:
    saga = start_toy()
    deliver(saga.pk)
    assert operations.dispatch(saga.pk, only_if_due=True) is operations.Dispatch.LEFT_ALONE
    let_time_pass(saga.pk)
    assert operations.dispatch(saga.pk, only_if_due=True) is operations.Dispatch.SENT
    saga = drive(saga.pk)
    assert saga.state == "COMPLETE"
    assert stage.played.count("pack_bag") == 1
