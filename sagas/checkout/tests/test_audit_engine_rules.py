"""The engine's own rules: edges, history, epochs, and that nothing is left hanging."""

from uuid import UUID

import pytest
from django.db.models import F

from notifications.tests.conftest import MailServer
from payments.tests.provider import FakeProvider
from sagas import operations, verbs
from sagas.auditor import Mend
from sagas.checkout.tests.auditing import Told, Vandal, told
from sagas.checkout.tests.shopping import Shopper, id_of
from sagas.models import Saga
from sagas.tests.conftest import NOBODY, deliver, drive, let_time_pass

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

TOTAL = 2500


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-offs are due at once."""
    monkeypatch.setattr("sagas.definitions.Retry.delay_after", lambda self, attempts: 0.0)


@pytest.fixture
def saga(guest: Shopper, mortal_provider: FakeProvider, smtp: MailServer, vandal: Vandal) -> UUID:
    """It is COMPLETE; its charge had a lost reply, so that it has been dispatched twice."""
    saga_id = id_of(guest.place(payment_token="tok_reply_lost"))
    assert drive(saga_id).state == "COMPLETE"
    assert told() == []
    return saga_id


def one(saga_id: UUID, rule: str, mend: Mend = Mend.BY_HAND, amount: int = TOTAL) -> Told:
    return (rule, saga_id, amount, mend.value)


def test_a_state_of_no_definition_is_seen(saga: UUID, vandal: Vandal) -> None:
    vandal.write(
        "default",
        "UPDATE sagas_saga SET state = 'NOWHERE', finished_at = NULL,"
        " lease_until = now() + interval '1 hour' WHERE id = %s",
        saga,
    )
    assert told() == [one(saga, "declared-edges")]


@pytest.mark.parametrize(
    "change",
    [
        "results = results - 'confirm_order'",
        "reached = 'PAYMENT_CHARGED'",
        'undone = \'{"create_order": {"by_hand": "x"}}\'',
        "given_up = '[\"create_order\"]'",
    ],
)
def test_a_row_that_no_walk_leads_to_is_seen(saga: UUID, vandal: Vandal, change: str) -> None:
    vandal.write("default", f"UPDATE sagas_saga SET {change} WHERE id = %s", saga)
    rules = {rule for rule, *_ in told()}
    # What history shows as done and the row does not have is a fault of its own.
    assert rules - {"history-agrees"} == {"declared-edges"}


def test_history_that_lacks_an_attempt_or_has_one_too_many_is_seen(
    saga: UUID, vandal: Vandal
) -> None:
    vandal.write(
        "default",
        "UPDATE sagas_steprun SET step = 'create_order'"
        " WHERE saga_id = %s AND step = 'confirm_order'",
        saga,
    )
    assert told() == [one(saga, "history-agrees")]


def test_an_undo_that_history_does_not_show_is_seen(
    guest: Shopper, mortal_provider: FakeProvider, smtp: MailServer, vandal: Vandal
) -> None:
    saga_id = drive(id_of(guest.place(payment_token="tok_declined"))).pk
    vandal.write("default", "DELETE FROM sagas_steprun WHERE saga_id = %s AND direction = 'undo'"
                 " AND step = 'create_order'", saga_id)  # fmt: skip
    assert told() == [one(saga_id, "history-agrees")]


def test_a_shopper_who_was_told_twice_is_seen(
    guest: Shopper, mortal_provider: FakeProvider, smtp: MailServer, vandal: Vandal
) -> None:
    saga_id = drive(id_of(guest.place(payment_token="tok_declined"))).pk
    vandal.write(
        "default",
        "INSERT INTO sagas_steprun (saga_id, step, direction, attempt, epoch, outcome, worker,"
        " duration_ms, error_type, error_code, error_message, result, recorded_at)"
        " SELECT saga_id, step, direction, attempt, epoch, outcome, '', 0, '', '', '', '{}', now()"
        " FROM sagas_steprun WHERE saga_id = %s AND direction = 'follow_up'",
        saga_id,
    )
    assert told() == [one(saga_id, "history-agrees")]


def test_an_epoch_that_falls_in_history_is_seen(saga: UUID, vandal: Vandal) -> None:
    """The first attempts were of an earlier epoch than the last ones."""
    vandal.write(
        "default",
        "UPDATE sagas_steprun SET epoch = (SELECT epoch FROM sagas_saga WHERE id = %s)"
        " WHERE step = 'create_order'",
        saga,
    )
    assert told() == [one(saga, "epoch-never-falls")]


def test_an_epoch_below_that_of_history_is_seen(saga: UUID, vandal: Vandal) -> None:
    vandal.write("default", "UPDATE sagas_saga SET epoch = 1 WHERE id = %s", saga)
    assert told() == [one(saga, "epoch-never-falls")]


def test_two_sagas_of_one_request_are_seen(
    guest: Shopper, mortal_provider: FakeProvider, smtp: MailServer, vandal: Vandal
) -> None:
    first, second = id_of(guest.place()), id_of(guest.place())
    vandal.drop("default", "sagas_saga", "sagas_one_saga_a_request")
    vandal.write("default", "UPDATE sagas_saga SET idempotency_key = 'the same'")
    assert told() == sorted([one(each, "one-saga-a-request") for each in (first, second)], key=str)


# Nothing hanging --------------------------------------------------------------------------


def ages(vandal: Vandal, saga_id: UUID, column: str) -> None:
    vandal.write(
        "default", f"UPDATE sagas_saga SET {column} = now() - interval '5 minutes' WHERE id = %s",
        saga_id,
    )  # fmt: skip


def test_a_saga_that_recovery_forgot_is_seen(
    guest: Shopper, mortal_provider: FakeProvider, vandal: Vandal
) -> None:
    saga_id = id_of(guest.place())
    assert told() == []
    let_time_pass(saga_id)
    assert told() == []  # a second late is within the budget
    ages(vandal, saga_id, "lease_until")
    assert told() == [one(saga_id, "nothing-hangs", Mend.RETRY)]


def test_an_unpaid_saga_long_past_its_deadline_is_seen(
    guest: Shopper, mortal_provider: FakeProvider, vandal: Vandal
) -> None:
    saga_id = id_of(guest.place())
    ages(vandal, saga_id, "deadline_at")
    assert told() == [one(saga_id, "nothing-hangs", Mend.RETRY)]


def test_a_saga_that_nobody_will_ever_look_at_is_seen(
    guest: Shopper, mortal_provider: FakeProvider, vandal: Vandal
) -> None:
    saga_id = id_of(guest.place())
    vandal.drop("default", "sagas_saga", "sagas_unfinished_is_due_some_time")
    vandal.write("default", "UPDATE sagas_saga SET lease_until = NULL WHERE id = %s", saga_id)
    assert told() == [one(saga_id, "nothing-hangs", Mend.COMPENSATE)]


def test_what_is_parked_waits_for_a_person_with_what_is_at_stake(
    guest: Shopper, mortal_provider: FakeProvider, smtp: MailServer
) -> None:
    unpaid, paid = id_of(guest.place()), id_of(guest.place())
    drive(paid, until="PAYMENT_CHARGED")
    for saga_id in (unpaid, paid):
        verbs.pause(saga_id, mandate=NOBODY)
    assert told() == sorted(
        [
            one(unpaid, "waits-for-a-person", Mend.RESUME, amount=0),
            one(paid, "waits-for-a-person", Mend.RESUME),
        ],
        key=str,
    )


def test_a_saga_of_a_version_that_is_not_deployed_waits_and_breaks_no_rule(
    guest: Shopper, mortal_provider: FakeProvider
) -> None:
    saga_id = id_of(guest.place())
    Saga.objects.using("default").filter(pk=saga_id).update(version=99, revision=F("revision") + 1)
    operations.dispatch(saga_id)
    assert told() == [one(saga_id, "waits-for-a-person")]


def test_what_a_person_settled_by_hand_is_no_fault(
    guest: Shopper, mortal_provider: FakeProvider, smtp: MailServer
) -> None:
    """No attempt of ours told the shopper, and there is no mail that was sent."""
    smtp.rcpt_replies = ["550 no such user"]
    saga_id = id_of(guest.place())
    drive(saga_id, until="ORDER_CONFIRMED")
    deliver(saga_id)
    word = type(NOBODY)(operator=None, reason="called", reference="call 7")
    verbs.resolve(saga_id, mandate=word)
    assert told() == []
