"""What each way in which a mail server can fail means to the saga."""

import socket
import time
from traceback import format_exception
from uuid import UUID

import pytest
from pytest_django import Settings

from notifications.models import DATABASE, Message, Status
from notifications.services import MailRefused, MailUnavailable
from notifications.tests.conftest import MailServer, confirm, free_port, use_mail_server

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)


def pending() -> Message:
    message = Message.objects.using(DATABASE).get()
    assert (message.status, message.claimed_until) == (Status.PENDING, None)
    return message


@pytest.mark.parametrize("code", [421, 450, 451, 452])
def test_a_4xx_reply_to_the_recipient_is_transient(
    smtp: MailServer, saga_id: UUID, code: int
) -> None:
    smtp.rcpt_replies = [f"{code} ada@example.com: later"]
    with pytest.raises(MailUnavailable):
        confirm(saga_id)
    assert pending().last_error == f"SMTPRecipientsRefused {code}"


def test_a_4xx_reply_to_the_mail_is_transient(smtp: MailServer, saga_id: UUID) -> None:
    smtp.data_replies = ["452 full"]
    with pytest.raises(MailUnavailable):
        confirm(saga_id)
    assert pending().last_error == "SMTPDataError 452"


def test_a_5xx_reply_to_the_recipient_is_a_refusal_without_the_address(
    smtp: MailServer, saga_id: UUID
) -> None:
    smtp.rcpt_replies = ["550 ada@example.com: no such mailbox"]
    with pytest.raises(MailRefused) as refused:
        confirm(saga_id)
    assert str(refused.value) == pending().last_error == "SMTPRecipientsRefused 550"
    assert "ada@" not in "".join(format_exception(refused.value)), "a log of it would tell"
    assert refused.value.code == "mail-refused"


def test_a_5xx_reply_to_the_mail_is_a_refusal(smtp: MailServer, saga_id: UUID) -> None:
    smtp.data_replies = ["554 looks like spam"]
    with pytest.raises(MailRefused):
        confirm(saga_id)
    assert pending().last_error == "SMTPDataError 554"


def test_a_refused_connection_is_transient(settings: Settings, saga_id: UUID) -> None:
    use_mail_server(settings, free_port())
    with pytest.raises(MailUnavailable):
        confirm(saga_id)
    assert pending().last_error == "ConnectionRefusedError"


def test_a_server_that_hangs_is_given_up_after_the_time_out(
    settings: Settings, saga_id: UUID
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_mail_server(settings, silent.getsockname()[1], timeout=0.3)
        begun = time.monotonic()
        with pytest.raises(MailUnavailable):
            confirm(saga_id)
        assert time.monotonic() - begun < 3
    assert pending().last_error == "SMTPServerDisconnected", "smtplib's word for a time-out"


def test_a_server_that_hangs_after_the_mail_is_given_up_after_the_time_out(
    smtp: MailServer, settings: Settings, saga_id: UUID
) -> None:
    settings.EMAIL_TIMEOUT = 0.3
    smtp.may_reply.clear()
    with pytest.raises(MailUnavailable):
        confirm(saga_id)
    assert pending().attempts == 1


def test_a_server_that_dies_between_mail_and_reply_is_transient(
    smtp: MailServer, saga_id: UUID
) -> None:
    smtp.deaths = 1
    with pytest.raises(MailUnavailable):
        confirm(saga_id)
    assert len(smtp.mails) == 1
    assert pending().last_error == "SMTPServerDisconnected"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "ada@example.com\r\nBcc: eve@evil.example",
        "ada@example.com, eve@evil.example",
        "Ada <ada@example.com>",
        "ada@" + "\u00fc" * 62 + ".example",
        "ada\x00@example.com",
    ],
)
def test_what_is_no_single_plain_address_is_refused_before_anything_is_kept(
    smtp: MailServer, saga_id: UUID, address: str
) -> None:
    with pytest.raises(MailRefused):
        confirm(saga_id, recipient=address)
    assert not Message.objects.using(DATABASE).exists()
    assert smtp.mails == []
