"""A step may wait for somebody else: no attempt is counted, and the deadline ends the wait."""

from dataclasses import replace

import pytest
from django.db.models import F
from pytest_django.fixtures import Settings

from sagas import endings, journal, operations, stuck
from sagas.endings import Verdict
from sagas.models import DATABASE, Outcome, Saga, StepRun
from sagas.operations import Dispatch
from sagas.tests.conftest import deliver, drive, let_time_pass, start_toy
from sagas.tests.toy import TOY, Busy, Theatre, Waits

pytestmark = pytest.mark.django_db(transaction=True)


def _begin_to_wait(stage: Theatre, *, times: int = 1) -> Saga:
    stage.script["lock_door"] = [Waits("for the locksmith") for _ in range(times)]
    saga = start_toy()
    deliver(saga.pk)
    assert deliver(saga.pk) == endings.Ending(Verdict.WAKE, 10.0)
    return journal.read(saga.pk)


def _runs(saga: Saga) -> list[tuple[str, str, int]]:
    runs = StepRun.objects.using(DATABASE).filter(saga=saga).order_by("pk")
    return [(run.step, run.outcome, run.attempt) for run in runs]


def test_a_wait_is_saved_and_the_chain_ends(stage: Theatre) -> None:
    saga = _begin_to_wait(stage)
    assert (saga.state, saga.error_outcome, saga.attempts) == ("PACKED", Outcome.WAITING, 0)
    assert saga.next_attempt_at is not None
    assert saga.lease_until is None
    standing = stuck.standing_of(saga)
    assert standing.words == f"waiting for the locksmith until {saga.deadline_at:%H:%M:%S} UTC"
    assert not standing.stuck


def test_however_often_it_looks_no_attempt_is_counted_and_history_says_it_once(
    stage: Theatre,
) -> None:
    looks = TOY.steps[1].limits.do.attempts + 5
    saga = _begin_to_wait(stage, times=looks)
    for _ in range(looks - 1):
        let_time_pass(saga.pk)
        assert operations.dispatch(saga.pk, only_if_due=True) is not Dispatch.LEFT_ALONE
        deliver(saga.pk)
    assert journal.read(saga.pk).attempts == 0
    assert _runs(saga) == [("pack_bag", "succeeded", 1), ("lock_door", "waiting", 1)]
    assert journal.read(saga.pk).state == "PACKED"
    let_time_pass(saga.pk)
    operations.dispatch(saga.pk, only_if_due=True)
    assert drive(saga.pk).state == "COMPLETE"


def test_attempts_that_failed_before_the_wait_still_count(stage: Theatre) -> None:
    stage.script["lock_door"] = [Busy(), Waits("for it"), Busy(), Busy()]
    saga = start_toy()
    for _ in range(5):
        let_time_pass(saga.pk)
        operations.dispatch(saga.pk, only_if_due=True)
        deliver(saga.pk)
    assert (journal.read(saga.pk).state, journal.read(saga.pk).reason) == (
        "COMPENSATING",
        "retries-exhausted",
    )


def test_the_deadline_ends_the_wait_and_undoes_the_waiting_step(stage: Theatre) -> None:
    saga = _begin_to_wait(stage)
    let_time_pass(saga.pk, deadline=True)
    operations.dispatch(saga.pk, only_if_due=True)
    saga = drive(saga.pk)
    assert (saga.state, saga.reason) == ("COMPENSATED", "deadline")
    assert "undo lock_door" in stage.played


def test_a_wait_never_outlasts_the_deadline(stage: Theatre, settings: Settings) -> None:
    settings.SAGA_POLL_INTERVAL = TOY.deadline * 2
    stage.script["lock_door"] = [Waits("for the locksmith")]
    saga = start_toy()
    deliver(saga.pk)
    deliver(saga.pk)
    saga = journal.read(saga.pk)
    assert saga.next_attempt_at == saga.deadline_at


def test_whatever_was_waited_for_resumes_it_before_its_time(stage: Theatre) -> None:
    saga = _begin_to_wait(stage)
    assert operations.dispatch(saga.pk, only_if_due=True) is Dispatch.LEFT_ALONE
    assert operations.dispatch(saga.pk, only_if_waiting=True) is not Dispatch.LEFT_ALONE
    assert drive(saga.pk).state == "COMPLETE"


def test_a_resume_disturbs_no_worker_and_no_message_under_way(stage: Theatre) -> None:
    """Guard: ``only_if_waiting``; a dispatch would fence the worker off."""
    saga = start_toy()
    # Whether or not a broker took the message: it waits for a worker.
    Saga.objects.using(DATABASE).filter(pk=saga.pk).update(
        next_attempt_at=None, lease_until=journal.in_seconds(10), revision=F("revision") + 1
    )
    assert operations.dispatch(saga.pk, only_if_waiting=True) is Dispatch.LEFT_ALONE
    seen: list[Dispatch] = []
    stage.script["pack_bag"] = [
        lambda: seen.append(operations.dispatch(saga.pk, only_if_waiting=True))
    ]
    deliver(saga.pk)
    assert seen == [Dispatch.LEFT_ALONE]
    assert drive(saga.pk).state == "COMPLETE"
    assert operations.dispatch(saga.pk, only_if_waiting=True) is Dispatch.LEFT_ALONE


def test_a_provider_s_wish_to_be_left_alone_outlasts_the_back_off(stage: Theatre) -> None:
    patient = replace(TOY.steps[0].limits.do, max_delay=300.0)
    saga = start_toy()
    history = StepRun(saga=saga, step="pack_bag", direction="do", attempt=1, epoch=1)
    history.outcome = Outcome.TRANSIENT
    ending = endings.end_badly(journal.read(saga.pk), history, patient, not_before=7.0)
    assert ending.wait == 7.0
