"""A mail is sent once, whoever asks and how often."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connections, transaction
from django.db.models.functions import Now
from pytest_django import Settings

from notifications.models import DATABASE, Message, Receipt, Status
from notifications.services import MailBusy, MailUnavailable, cancel_confirmation, messages_of
from notifications.tests.conftest import MailServer, apologise, confirm
from sagas.participant.receipts import AlreadyCompensated

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)


def test_a_repeated_confirmation_returns_the_first_result_and_sends_nothing(
    smtp: MailServer, saga_id: UUID
) -> None:
    first = confirm(saga_id)
    second = confirm(saga_id, recipient="other@example.com")

    assert first == second
    assert first["message_id"] == f"<confirmation.{saga_id}@shop.example>"
    [mail] = smtp.mails
    assert mail["Message-ID"] == first["message_id"]
    [sent] = messages_of(saga_id=saga_id)
    assert (sent.status, sent.attempts) == (Status.SENT, 1)


def test_a_mail_that_failed_is_sent_again_with_the_same_message_id(
    smtp: MailServer, saga_id: UUID
) -> None:
    smtp.deaths = 1
    with pytest.raises(MailUnavailable):
        confirm(saga_id)

    confirm(saga_id)

    assert len(smtp.mails) == 2, "the server died after it had the mail: the double is unavoidable"
    assert len({mail["Message-ID"] for mail in smtp.mails}) == 1


def test_two_callers_at_once_send_one_mail(smtp: MailServer, saga_id: UUID) -> None:
    """The guard is the claim, a counted UPDATE: the second caller's changes no row."""
    smtp.may_reply.clear()

    def first() -> dict[str, str]:
        try:
            return confirm(saga_id)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(first)
        assert smtp.arrived.wait(10)
        with pytest.raises(MailBusy):
            confirm(saga_id)
        smtp.may_reply.set()
        assert result.result(10) == confirm(saga_id)
    assert len(smtp.mails) == 1


def test_many_callers_at_once_send_one_mail(smtp: MailServer, saga_id: UUID) -> None:
    """The guards are the claim and, for those who come later, the receipt."""

    def call(_: int) -> str:
        try:
            return str(confirm(saga_id)["message_id"])
        except MailBusy:
            return "busy"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(call, range(24)))

    assert len(smtp.mails) == 1
    assert set(answers) <= {"busy", f"<confirmation.{saga_id}@shop.example>"}
    assert Receipt.objects.using(DATABASE).count() == 1


def test_the_claim_of_a_sender_that_died_runs_out(smtp: MailServer, saga_id: UUID) -> None:
    confirm_in_vain(smtp, saga_id)
    rows = Message.objects.using(DATABASE)
    rows.update(claimed_until=Now() + timedelta(seconds=30))
    with pytest.raises(MailBusy) as busy:
        confirm(saga_id)
    assert 20 < busy.value.retry_after <= 30

    rows.update(claimed_until=Now() - timedelta(seconds=1))
    confirm(saga_id)

    assert len(smtp.mails) == 1
    assert rows.get().status == Status.SENT


def test_a_sender_whose_claim_ran_out_does_not_free_the_claim_of_the_next(
    smtp: MailServer, saga_id: UUID, settings: Settings
) -> None:
    """The guard is the number of the attempt, which every claim raises."""
    settings.OUTSIDE_STEP_TIME_LIMIT = 0
    smtp.may_reply.clear()
    smtp.deaths = 1

    def slow() -> None:
        try:
            confirm(saga_id)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        overtaken = pool.submit(slow)
        assert smtp.arrived.wait(10)
        settings.OUTSIDE_STEP_TIME_LIMIT = 30
        rows = Message.objects.using(DATABASE)
        rows.update(attempts=2, claimed_until=Now() + timedelta(seconds=30))
        smtp.may_reply.set()
        with pytest.raises(MailUnavailable):
            overtaken.result(10)

    assert rows.get().claimed_until is not None


def test_a_corrected_address_is_used_by_the_next_attempt(smtp: MailServer, saga_id: UUID) -> None:
    confirm_in_vain(smtp, saga_id)

    confirm(saga_id, recipient="ada@new.example")

    assert smtp.mails[-1]["To"] == "ada@new.example"
    assert Message.objects.using(DATABASE).get().recipient == "ada@new.example"


def test_the_mail_is_committed_before_it_is_sent(smtp: MailServer, saga_id: UUID) -> None:
    """The guard is ``durable``: within another transaction nothing is sent at all."""
    with transaction.atomic(using=DATABASE), pytest.raises(RuntimeError, match="durable"):
        confirm(saga_id)

    assert smtp.mails == []


def test_an_apology_forbids_the_confirmation_that_was_not_sent(
    smtp: MailServer, saga_id: UUID
) -> None:
    confirm_in_vain(smtp, saga_id)

    apologise(saga_id)

    with pytest.raises(AlreadyCompensated):
        confirm(saga_id)
    assert [mail["Message-ID"] for mail in smtp.mails] == [f"<apology.{saga_id}@shop.example>"]
    assert {str(sent.kind): sent.status for sent in messages_of(saga_id=saga_id)} == {
        "confirmation": Status.CANCELLED,
        "apology": Status.SENT,
    }


def test_a_confirmation_cancelled_before_it_was_asked_for_is_never_sent(
    smtp: MailServer, saga_id: UUID
) -> None:
    assert cancel_confirmation(saga_id=saga_id) == {}
    with pytest.raises(AlreadyCompensated):
        confirm(saga_id)
    assert smtp.mails == []


def test_a_confirmation_that_was_sent_stays_sent(smtp: MailServer, saga_id: UUID) -> None:
    confirm(saga_id)

    assert cancel_confirmation(saga_id=saga_id) == {"sent": True}
    assert cancel_confirmation(saga_id=saga_id) == {"sent": True}
    assert messages_of(saga_id=saga_id)[0].status == Status.SENT


def test_a_confirmation_on_its_way_cannot_be_cancelled_until_it_is_settled(
    smtp: MailServer, saga_id: UUID
) -> None:
    confirm_in_vain(smtp, saga_id)
    rows = Message.objects.using(DATABASE)
    rows.update(claimed_until=Now() + timedelta(seconds=30))

    with pytest.raises(MailBusy):
        cancel_confirmation(saga_id=saga_id)

    assert not Receipt.objects.using(DATABASE).exists()
    assert rows.get().status == Status.PENDING


def confirm_in_vain(smtp: MailServer, saga_id: UUID) -> None:
    smtp.data_replies = ["451 later"]
    with pytest.raises(MailUnavailable):
        confirm(saga_id)
