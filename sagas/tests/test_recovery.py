"""Whatever is due is found and dispatched, and nothing else."""

import threading
from collections.abc import Callable

import pytest
from django.conf import settings
from django.db import connections, transaction
from django.db.models import F

from sagas import journal, operations, registry
from sagas.models import Heartbeat, Outcome, Parked, Saga
from sagas.recovery import Recovered, recover
from sagas.tests.conftest import deliver, drive, let_time_pass, start_toy
from sagas.tests.toy import Theatre

pytestmark = pytest.mark.django_db(databases=["default"], transaction=True)


def test_a_live_lease_is_left_alone(stage: Theatre) -> None:
    saga = start_toy()
    deliver(saga.pk)
    done = recover()
    assert (done.dispatched, done.errors) == ([], [])
    assert journal.read(saga.pk).epoch == 1


def test_a_live_worker_is_left_alone_while_its_step_runs(stage: Theatre) -> None:
    saga = start_toy()
    seen: list[object] = []
    stage.script["pack_bag"] = [lambda: seen.append(recover().dispatched)]
    deliver(saga.pk)
    assert seen == [[]]
    assert drive(saga.pk).state == "COMPLETE"


def test_what_is_overdue_is_dispatched_with_a_higher_epoch(stage: Theatre) -> None:
    saga = start_toy()
    let_time_pass(saga.pk)
    assert recover().dispatched == [saga.pk]
    saga = journal.read(saga.pk)
    assert (saga.epoch, saga.recoveries) == (2, 1)
    assert drive(saga.pk).state == "COMPLETE"


def test_an_attempt_whose_worker_died_is_written_down_as_lost(stage: Theatre) -> None:
    saga = start_toy()
    journal.claim(journal.read(saga.pk), time_limit=5)
    let_time_pass(saga.pk)
    recover()
    saga = journal.read(saga.pk)
    assert [(run.step, run.outcome) for run in saga.runs.using("default")] == [
        ("pack_bag", Outcome.LOST)
    ]
    assert saga.error_outcome == Outcome.LOST


def test_a_step_that_kills_every_worker_is_given_up_after_its_attempts(stage: Theatre) -> None:
    saga = start_toy()
    for _ in range(3):
        journal.claim(journal.read(saga.pk), time_limit=5)
        let_time_pass(saga.pk)
        recover()
    saga = journal.read(saga.pk)
    assert (saga.state, saga.reason) == ("COMPENSATING", "retries-exhausted")
    assert drive(saga.pk).state == "COMPENSATED"


def test_each_message_that_is_lost_costs_the_same_time(stage: Theatre) -> None:
    saga = start_toy()
    for _ in range(3):
        let_time_pass(saga.pk)
        recover()
        saga = journal.read(saga.pk)
        assert saga.lease_until is not None
        waits = (saga.lease_until - saga.updated_at).total_seconds()
        assert waits == pytest.approx(settings.SAGA_QUEUE_LEASE, abs=0.1)
    assert saga.recoveries == 3


def test_two_recoveries_at_once_dispatch_each_saga_once(stage: Theatre) -> None:
    """Guard: SKIP LOCKED and the due check under the lock in ``dispatch``."""
    ids = {start_toy(f"key-{n}").pk for n in range(10)}
    for saga_id in ids:
        let_time_pass(saga_id)
    barrier = threading.Barrier(4)

    def one() -> None:
        try:
            barrier.wait(10)
            recover()
        finally:
            connections.close_all()

    _in_threads([one] * 4)
    assert {journal.read(saga_id).epoch for saga_id in ids} == {2}


def test_a_row_that_somebody_holds_is_skipped_and_the_others_are_dispatched(
    stage: Theatre,
) -> None:
    """Guard: SKIP LOCKED; without it the tick waits for the row, and ends in an error of it."""
    held, free = start_toy("held"), start_toy("free")
    for saga in (held, free):
        let_time_pass(saga.pk)
    done: list[Recovered] = []

    def other() -> None:
        try:
            done.append(recover())
        finally:
            connections.close_all()

    with transaction.atomic(using="default"):
        journal.lock(held.pk)
        _in_threads([other])
    assert [(each.dispatched, each.errors) for each in done] == [([free.pk], [])]


def test_one_bad_row_stops_none_of_the_others(stage: Theatre) -> None:
    bad, good = start_toy("bad"), start_toy("good")
    for saga in (bad, good):
        let_time_pass(saga.pk)
    Saga.objects.using("default").filter(pk=bad.pk).update(
        state="NOWHERE", revision=F("revision") + 1
    )
    done = recover()
    assert done.errors == [bad.pk]
    assert done.dispatched == [good.pk]


def test_an_unknown_version_is_parked_and_taken_up_by_code_that_knows_it(stage: Theatre) -> None:
    saga = start_toy()
    Saga.objects.using("default").filter(pk=saga.pk).update(version=7, revision=F("revision") + 1)
    let_time_pass(saga.pk)
    recover()
    assert journal.read(saga.pk).parked == Parked.UNKNOWN_VERSION
    assert recover().dispatched == []
    Saga.objects.using("default").filter(pk=saga.pk).update(version=1, revision=F("revision") + 1)
    assert recover().dispatched == [saga.pk]
    saga = drive(saga.pk)
    assert (saga.state, saga.parked) == ("COMPLETE", "")


def test_a_kind_that_no_setting_names_is_unknown(stage: Theatre) -> None:
    with pytest.raises(registry.UnknownDefinition, match="no saga 'nobody'"):
        registry.newest("nobody")


def test_every_tick_leaves_a_heartbeat(stage: Theatre) -> None:
    recover()
    first = Heartbeat.objects.using("default").get(name="recovery").beat_at
    recover()
    assert Heartbeat.objects.using("default").get(name="recovery").beat_at > first


def test_a_dispatch_of_a_finished_saga_does_nothing(stage: Theatre) -> None:
    saga = drive(start_toy().pk)
    assert operations.dispatch(saga.pk) is operations.Dispatch.LEFT_ALONE
    assert journal.read(saga.pk).epoch == saga.epoch


def _in_threads(jobs: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
