"""Whose message waits in a long queue keeps its place; whose message is lost does not."""

import select
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import pytest
from celery import current_app
from django.conf import settings as project
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from sagas import journal, operations
from sagas.endings import Verdict
from sagas.models import DATABASE, Saga
from sagas.recovery import recover
from sagas.tests.conftest import deliver, drive, lose_messages, start_toy
from sagas.tests.toy import Refused, Theatre

pytestmark = pytest.mark.django_db(databases=[DATABASE], transaction=True)


@pytest.fixture(autouse=True)
def empty_queues() -> None:
    """Begin without what other tests have sent."""
    lose_messages()


def _has_waited(saga_id: UUID, seconds: float) -> None:
    """Let the saga's message have been sent so long ago, and its lease have run out."""
    Saga.objects.using(DATABASE).filter(pk=saga_id).update(
        updated_at=Now() - timedelta(seconds=seconds),
        lease_until=Now() - timedelta(seconds=1),
        revision=F("revision") + 1,
    )


def _let_leases_run_out(*saga_ids: UUID) -> None:
    """The same, and the message was sent when it was."""
    Saga.objects.using(DATABASE).filter(pk__in=saga_ids).update(
        lease_until=Now() - timedelta(seconds=1), revision=F("revision") + 1
    )


def _is_dispatched_again(saga_id: UUID) -> None:
    """Let a worker stand still for so long that another dispatch has taken its step over."""
    _let_leases_run_out(saga_id)
    operations.dispatch(saga_id)


def _waiting(*seconds: float) -> Sequence[UUID]:
    """Start sagas whose messages are still in the queue, and were sent so long ago."""
    ids = [start_toy(f"key-{number}").pk for number in range(len(seconds))]
    for saga_id, ago in zip(ids, seconds, strict=True):
        _has_waited(saga_id, ago)
    return ids


def _take_from(queue: str) -> None:
    """Take the oldest message, as a worker does that dies with it."""
    with current_app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        assert channel.basic_get(queue, no_ack=True) is not None


def _seconds_left(saga: Saga) -> float:
    """Return how long its lease still lasts, by the database's clock."""
    left = Saga.objects.using(DATABASE).values_list(F("lease_until") - Now()).get(pk=saga.pk)
    seconds: float = left[0].total_seconds()
    return seconds


def test_who_waits_in_a_long_queue_keeps_its_place(stage: Theatre) -> None:
    """Guard: recovery looks into the queue; without it the message would be sent once more."""
    (saga_id,) = _waiting(20)
    assert recover().dispatched == []
    saga = journal.read(saga_id)
    assert (saga.epoch, saga.recoveries, saga.is_due) == (1, 0, False)
    assert deliver(saga_id, epoch=1).verdict is Verdict.GO_ON


def test_of_those_who_wait_the_one_without_a_message_is_sent_again(stage: Theatre) -> None:
    """Guard: the broker holds the messages of those that were sent last, and of no one else."""
    first, second, third = _waiting(30, 20, 15)
    _take_from("orders")
    assert recover().dispatched == [first]
    assert [journal.read(each).epoch for each in (second, third)] == [1, 1]


def test_whoever_was_overtaken_is_sent_again_however_many_copies_the_queue_holds(
    stage: Theatre,
) -> None:
    """Guard: a message that was sent later has come through, so this one does not wait any more."""
    lost, waiting = _waiting(30, 20)
    _take_from("orders")
    for _ in range(5):  # copies of an overtaken dispatch, which do nothing
        operations.dispatch(waiting)
    later = start_toy("later").pk
    _has_waited(waiting, 1)
    assert recover().dispatched == []
    deliver(later)
    _let_leases_run_out(lost, waiting)
    assert recover().dispatched == [lost]


def test_the_late_word_of_a_frozen_worker_lets_nobody_be_overtaken(stage: Theatre) -> None:
    """Guard: its message is older than the dispatch that took over, and says nothing of others."""
    frozen, waiting = (start_toy(key).pk for key in ("frozen", "waiting"))
    stage.script["pack_bag"] = [lambda: _is_dispatched_again(frozen)]
    deliver(frozen)
    assert Saga.objects.using(DATABASE).get(pk=frozen).runs.using(DATABASE).last() is not None
    _has_waited(waiting, 5)
    assert recover().dispatched == []


def test_an_empty_queue_lets_nobody_wait(stage: Theatre) -> None:
    ids = _waiting(30, 20)
    lose_messages()
    assert recover().dispatched == [*ids]


def test_who_goes_first_says_nothing_of_those_in_the_line(stage: Theatre) -> None:
    """Guard: a message of a later dispatch, which goes before others, has overtaken nobody."""
    held_up, waiting = (start_toy(key).pk for key in ("held up", "waiting"))
    _take_from("orders")
    journal.claim(journal.read(held_up), time_limit=5)
    _let_leases_run_out(held_up)
    assert recover().dispatched == [held_up]
    deliver(held_up, epoch=2)
    _has_waited(waiting, 5)
    assert recover().dispatched == []


@pytest.fixture
def hanging_broker() -> Iterator[None]:
    """Let recovery meet a broker that greets it and answers no question; publishers have theirs."""
    app, ended = current_app, threading.Event()
    options = app.conf.broker_transport_options

    def relay(caller: socket.socket) -> None:
        with caller, socket.socket(socket.AF_UNIX) as broker:
            broker.connect(unquote(urlsplit(project.BROKER_URL).path))
            while True:
                for ready in select.select([caller, broker], [], [])[0]:
                    said = ready.recv(4096)
                    if not said or b"EXISTS" in said:
                        ended.wait(20)
                        return
                    (broker if ready is caller else caller).sendall(said)

    def serve(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                caller, _ = listening.accept()
                threading.Thread(target=relay, args=[caller], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=[listening], daemon=True).start()
        app.conf.update(
            broker_write_url=f"redis://127.0.0.1:{listening.getsockname()[1]}/0",
            broker_transport_options={**options, "socket_timeout": 0.1},
        )
        yield
        app.conf.update(broker_write_url=None, broker_transport_options=options)
        listening.shutdown(socket.SHUT_RDWR)
        ended.set()


def test_a_broker_that_hangs_knows_of_no_message(
    stage: Theatre, request: pytest.FixtureRequest
) -> None:
    """Guard: the client library's own time-out does not end the tick."""
    (saga_id,) = _waiting(20)
    request.getfixturevalue("hanging_broker")
    assert recover().dispatched == [saga_id]


def test_what_waits_in_another_queue_says_nothing(stage: Theatre) -> None:
    (saga_id,) = _waiting(20)
    for _ in range(2):
        deliver(saga_id)
    _has_waited(saga_id, 20)  # for a worker of ``payments``, where nothing was sent
    assert recover().dispatched == [saga_id]


@pytest.mark.parametrize(("waited", "longer"), [(1, None), (40, 20), (3_000, 60)])
def test_whoever_has_waited_waits_half_as_long_again(
    stage: Theatre, waited: float, longer: float | None
) -> None:
    """A queue is looked into less often the longer it is, and once a minute at the least."""
    (saga_id,) = _waiting(waited)
    Saga.objects.using(DATABASE).filter(pk=saga_id).update(
        deadline_at=Now() + timedelta(hours=2), revision=F("revision") + 1
    )
    recover()
    expected = longer or project.SAGA_QUEUE_LEASE / 2
    assert _seconds_left(journal.read(saga_id)) == pytest.approx(expected, abs=2)


def test_before_the_pivot_nobody_waits_beyond_the_deadline(stage: Theatre) -> None:
    """Guard: the deadline caps the lease that is extended."""
    (saga_id,) = _waiting(200)
    Saga.objects.using(DATABASE).filter(pk=saga_id).update(
        deadline_at=Now() + timedelta(seconds=3), revision=F("revision") + 1
    )
    recover()
    saga = journal.read(saga_id)
    assert saga.lease_until == saga.deadline_at


def test_past_its_deadline_it_turns_back_though_its_message_waits(stage: Theatre) -> None:
    """Guard: the lease of one that is too late is not extended."""
    (saga_id,) = _waiting(20)
    Saga.objects.using(DATABASE).filter(pk=saga_id).update(
        deadline_at=Now() - timedelta(seconds=1), revision=F("revision") + 1
    )
    recover()
    assert journal.read(saga_id).state == "COMPENSATING"


def test_undos_and_mails_that_are_owed_keep_their_places_too(stage: Theatre) -> None:
    stage.script["lock_door"] = [Refused("no")]
    saga_id = drive(start_toy().pk, until="COMPENSATING").pk
    operations.dispatch(saga_id)
    lose_messages()
    operations.dispatch(saga_id)
    _has_waited(saga_id, 20)
    assert recover().dispatched == []
    saga = drive(saga_id, until="COMPENSATED")
    lose_messages()
    operations.dispatch(saga_id)
    _has_waited(saga_id, 20)
    assert recover().dispatched == []
    assert journal.read(saga_id).epoch == saga.epoch + 1


def test_a_step_that_runs_and_one_that_backs_off_wait_for_no_worker(stage: Theatre) -> None:
    """Guard: only what no worker has taken can still be in a queue."""
    keys = ("running", "backing off", "waiting")
    running, backing_off, waiting = (start_toy(key).pk for key in keys)
    journal.claim(journal.read(running), time_limit=5)
    seen = journal.read(backing_off)
    journal.save(seen, seen_state=seen.state, wait=0)
    for each in (running, backing_off, waiting):
        _has_waited(each, 20)
    assert sorted(recover().dispatched) == sorted([running, backing_off])


def test_a_worker_that_meets_the_change_leaves_the_saga_and_recovery_sends_it_again(
    stage: Theatre,
) -> None:
    """It read the row before the lease was extended, and claims it after: nothing is lost."""
    (saga_id,) = _waiting(20)
    as_it_saw = journal.read(saga_id)
    recover()
    _take_from("orders")
    with pytest.raises(journal.Superseded):
        journal.claim(as_it_saw, time_limit=5)
    _has_waited(saga_id, 40)
    assert recover().dispatched == [saga_id]
    assert drive(saga_id).state == "COMPLETE"


def test_a_tick_leaves_more_than_a_batch(stage: Theatre, settings: Settings) -> None:
    settings.SAGA_RECOVERY_BATCH = 2
    ids = _waiting(20, 20, 20, 20, 20)
    assert recover().dispatched == []
    assert {journal.read(each).is_due for each in ids} == {False}
