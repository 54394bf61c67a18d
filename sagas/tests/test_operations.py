"""The verbs: starting the same request again, cancelling, retrying, compensating."""

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connections

from sagas import journal, operations, verbs
from sagas.mandates import Changed, Mandate
from sagas.models import Saga, new_saga_id
from sagas.operations import KeyReused, NotNow, TooLate
from sagas.tests.conftest import NOBODY, deliver, drive, let_time_pass, start_toy
from sagas.tests.toy import Busy, Refused, Theatre

pytestmark = pytest.mark.django_db(databases=["default"], transaction=True)


def test_the_same_request_again_returns_the_same_saga(stage: Theatre) -> None:
    assert start_toy("once").pk == start_toy("once").pk


def test_the_key_with_another_request_is_refused(stage: Theatre) -> None:
    start_toy("once")
    with pytest.raises(KeyReused):
        operations.find_request(
            kind="toy", principal="user:1", idempotency_key="once", fingerprint="other"
        )


def test_another_principal_may_use_the_same_key(stage: Theatre) -> None:
    first = start_toy("once")
    second = operations.start(
        kind="toy",
        saga_id=new_saga_id(),
        principal="user:2",
        idempotency_key="once",
        fingerprint="f" * 64,
        input={},
    )
    assert second.created
    assert second.saga.pk != first.pk


def test_twenty_equal_requests_at_once_make_one_saga(stage: Theatre) -> None:
    """Guard: the constraint ``sagas_one_saga_a_request``."""
    barrier = threading.Barrier(20)
    ids = []

    def request() -> None:
        try:
            barrier.wait(10)
            ids.append(start_toy("once").pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=request) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 20
    assert len(set(ids)) == 1
    assert Saga.objects.using("default").count() == 1


def test_a_shopper_may_cancel_before_the_pivot_and_again_without_effect(stage: Theatre) -> None:
    saga = start_toy()
    deliver(saga.pk)
    operations.cancel(saga.pk)
    epoch = journal.read(saga.pk).epoch
    operations.cancel(saga.pk)
    assert journal.read(saga.pk).epoch == epoch
    saga = drive(saga.pk)
    assert (saga.state, saga.reason) == ("COMPENSATED", "cancelled")
    operations.cancel(saga.pk)


@pytest.mark.parametrize("state", ["ABOARD", "COMPLETE"])
def test_a_shopper_may_not_cancel_past_the_pivot(stage: Theatre, state: str) -> None:
    saga = start_toy()
    drive(saga.pk, until=state)
    with pytest.raises(TooLate):
        operations.cancel(saga.pk)


def test_a_cancel_during_the_charge_fences_the_charge_off(stage: Theatre) -> None:
    """Guard: the epoch; the undo of the charge runs though the charge was never saved."""
    saga = start_toy()
    drive(saga.pk, until="LOCKED")

    def shopper_cancels() -> None:
        operations.cancel(saga.pk)

    stage.script["board_train"] = [shopper_cancels]
    deliver(saga.pk)
    saga = drive(saga.pk)
    assert saga.state == "COMPENSATED"
    assert "board_train" not in saga.results
    assert "undo board_train" in stage.played


def test_retry_now_ends_a_back_off(stage: Theatre) -> None:
    stage.script["pack_bag"] = [Busy("later")]
    saga = start_toy()
    deliver(saga.pk)
    assert "dispatched now" in verbs.retry(saga.pk, mandate=NOBODY).effect
    assert journal.read(saga.pk).next_attempt_at is None
    assert drive(saga.pk).state == "COMPLETE"


def test_retry_takes_a_parked_saga_up_again(stage: Theatre) -> None:
    stage.script["find_seat"] = [Refused("no seats")]
    saga = drive(start_toy().pk)
    assert "find_seat is tried again" in verbs.retry(saga.pk, mandate=NOBODY).effect
    saga = drive(saga.pk)
    assert (saga.state, saga.parked) == ("COMPLETE", "")


def test_retry_leaves_a_working_worker_and_a_finished_saga_alone(stage: Theatre) -> None:
    saga = start_toy()
    journal.claim(journal.read(saga.pk), time_limit=5)
    with pytest.raises(NotNow, match="a worker is on pack_bag"):
        verbs.retry(saga.pk, mandate=NOBODY)
    let_time_pass(saga.pk)
    verbs.retry(saga.pk, mandate=NOBODY)
    drive(saga.pk)
    with pytest.raises(NotNow, match="nothing to retry"):
        verbs.retry(saga.pk, mandate=NOBODY)


def test_only_a_higher_permission_compensates_past_the_pivot(stage: Theatre) -> None:
    saga = drive(start_toy().pk)
    with pytest.raises(TooLate, match="higher permission"):
        verbs.compensate(saga.pk, mandate=NOBODY)
    verbs.compensate(saga.pk, mandate=NOBODY, past_pivot=True)
    saga = drive(saga.pk)
    assert (saga.state, saga.reason) == ("COMPENSATED", "operator")
    assert stage.played[5:] == ["undo board_train", "undo lock_door", "undo pack_bag", "say_sorry"]


def test_what_was_undone_cannot_be_undone_again(stage: Theatre) -> None:
    stage.script["pack_bag"] = [Refused("no bag")]
    saga = drive(start_toy().pk)
    with pytest.raises(NotNow, match="nothing to turn back"):
        verbs.compensate(saga.pk, mandate=NOBODY, past_pivot=True)


def test_a_word_on_what_has_moved_on_since_is_refused(stage: Theatre) -> None:
    """Guard: the epoch and the revision that the operator saw."""
    saga = start_toy()
    seen = (saga.epoch, saga.revision)
    deliver(saga.pk)
    with pytest.raises(Changed, match="moved on since you looked"):
        verbs.compensate(saga.pk, mandate=Mandate(operator=None, seen=seen))
    assert journal.read(saga.pk).state != "COMPENSATING"


def test_the_operator_log_says_who_why_and_what(stage: Theatre) -> None:
    user = User.objects.using("default").create(username="sam")
    saga = start_toy()
    verbs.compensate(saga.pk, mandate=Mandate(operator=user, reason="asked by phone"))
    action = journal.read(saga.pk).operator_actions.using("default").get()
    assert (action.verb, action.operator_id, action.reason) == (
        "compensate",
        user.pk,
        "asked by phone",
    )
    assert action.effect == "compensation from PENDING begins"
