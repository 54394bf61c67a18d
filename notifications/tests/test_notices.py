"""Who asked for a product gets one mail when it is back; staff get one when it runs low."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from notifications import notices
from notifications.models import DATABASE, Notice, NoticeStatus, OutboxEvent
from notifications.notices import send_due, subscribe
from notifications.tests.conftest import MailServer, free_port, use_mail_server
from notifications.tests.hooks import NOON
from sagas.events import inbox
from sagas.events.facts import Event, new_event_id
from sagas.events.tests.crew import Killed, Worker
from sagas.participant import crash
from sagas.participant.crash import Moment

pytestmark = pytest.mark.django_db(databases=["default", "notifications"], transaction=True)

ADA, BOB = "ada@example.com", "bob@example.com"
BACK, LOW = "notifications.notices.tell_who_asked", "notifications.notices.tell_staff"


def want(email: str = ADA, sku: str = "MUG-BLUE") -> None:
    subscribe(sku=sku, product_name="Blue mug", email=email)


def happens(event_type: str, consumer: str, sku: str = "MUG-BLUE", available: int = 3) -> Event:
    event = Event(
        id=new_event_id(),
        type=event_type,
        aggregate=f"product:{sku}",
        payload={"sku": sku, "available": available},
        sequence=1,
        happened_at=NOON,
    )
    inbox.receive([event], consumer)
    return event


def comes_back(**changes: Any) -> Event:
    return happens("back_in_stock", BACK, **changes)


def make_due() -> None:
    Notice.objects.using(DATABASE).filter(status=NoticeStatus.DUE).update(next_attempt_at=Now())


def statuses() -> list[str]:
    return list(
        Notice.objects.using(DATABASE).order_by("recipient", "id").values_list("status", flat=True)
    )


def test_everybody_who_asked_gets_one_mail_when_the_product_is_back(smtp: MailServer) -> None:
    want(ADA)
    want(BOB)
    want(ADA, sku="TEAPOT")
    assert send_due(limit=10) == 0
    comes_back()
    assert send_due(limit=10) == 2
    assert send_due(limit=10) == 0
    assert sorted(mail["To"] for mail in smtp.mails) == [ADA, BOB]
    assert smtp.mails[0]["Subject"] == "Blue mug is back in stock - Makegood"
    assert "There are 3 of it just now" in smtp.mails[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_asked_for_twice_is_asked_for_once(smtp: MailServer) -> None:
    """Guard: ``notifications_asked_for_once``."""
    first = subscribe(sku="MUG-BLUE", product_name="Blue mug", email=ADA)
    again = subscribe(sku="MUG-BLUE", product_name="Blue mug", email=ADA.upper())
    assert first == again
    workers = [Worker(want) for _ in range(6)]
    assert [worker.end().error for worker in workers] == [None] * 6
    comes_back()
    send_due(limit=10)
    assert len(smtp.mails) == 1


def test_a_doubled_event_sends_no_second_mail(smtp: MailServer) -> None:
    """Guard: the inbox; and a notice that was sent is not made due again."""
    want()
    event = comes_back()
    send_due(limit=10)
    inbox.receive([event], BACK)
    comes_back()
    assert send_due(limit=10) == 0
    assert len(smtp.mails) == 1


def test_a_mail_server_that_is_away_is_tried_again_under_the_same_message_id(
    smtp: MailServer,
) -> None:
    want()
    comes_back()
    smtp.data_replies = ["451 Later"]
    smtp.deaths = 1
    for _ in range(3):
        make_due()
        send_due(limit=1)
    assert len({mail["Message-ID"] for mail in smtp.mails}) == 1
    assert len(smtp.mails) == 2, "the server died after it had the mail: a double"
    notice = Notice.objects.using(DATABASE).get()
    assert (notice.status, notice.attempts) == (NoticeStatus.SENT, 3)


def test_a_failed_mail_is_not_due_before_its_time(settings: Settings) -> None:
    use_mail_server(settings, free_port())
    settings.RETRY_FIRST_DELAY = settings.RETRY_MAX_DELAY = 10_000
    want()
    comes_back()
    send_due(limit=5)
    assert Notice.objects.using(DATABASE).get().attempts == 1


def test_a_refused_recipient_is_given_up_and_may_be_tried_again_by_staff(
    smtp: MailServer, admin_client: Client
) -> None:
    want()
    comes_back()
    smtp.rcpt_replies = ["550 No such user"]
    send_due(limit=5)
    notice = Notice.objects.using(DATABASE).get()
    assert notice.status == NoticeStatus.GIVEN_UP
    assert ADA not in notice.last_error
    verb = reverse("admin:notifications_notice_verb", args=[notice.pk, "send-again"])
    assert "what will happen" in admin_client.get(verb).content.decode()
    assert admin_client.post(verb).status_code == 302
    assert send_due(limit=5) == 1
    assert "not given up any more" in admin_client.post(verb, follow=True).content.decode()


@pytest.mark.parametrize("moment", Moment)
def test_a_sender_that_dies_at_the_conversation_leaves_the_mail_to_the_next(
    smtp: MailServer, moment: Moment
) -> None:
    """Before: nothing was sent. After: it is sent twice, under one Message-ID."""

    class Plan:
        def reached(self, point: str, at: Moment) -> None:
            if (point, at) == ("notifications.deliver_notice", moment):
                raise Killed

    want()
    comes_back()
    crash.arm(Plan())
    try:
        assert isinstance(Worker(lambda: send_due(limit=1)).end().error, Killed)
    finally:
        crash.arm(None)
    assert send_due(limit=1) == 0, "the dead sender's claim still holds"
    make_due()
    assert send_due(limit=1) == 1
    assert len(smtp.mails) == (1 if moment is Moment.BEFORE else 2)
    assert len({mail["Message-ID"] for mail in smtp.mails}) == 1


def test_many_senders_at_once_send_each_mail_once(smtp: MailServer) -> None:
    """Guard: the number of the attempt, which every claim raises."""
    for number in range(8):
        want(f"reader{number}@example.com")
    comes_back()
    workers = [Worker(lambda: send_due(limit=20)) for _ in range(4)]
    assert [worker.end().error for worker in workers] == [None] * 4
    assert len({mail["To"] for mail in smtp.mails}) == len(smtp.mails) == 8


def test_staff_get_one_mail_a_crossing(smtp: MailServer, settings: Settings) -> None:
    settings.STOCK_EMAIL = "stock@shop.example"
    event = happens("stock_low", LOW, available=5)
    inbox.receive([event], LOW)
    send_due(limit=5)
    [mail] = smtp.mails
    assert mail["To"] == "stock@shop.example"
    assert mail["Subject"] == "MUG-BLUE is running low - Makegood"
    assert "List-Unsubscribe" not in mail
    happens("stock_low", LOW, available=2)
    send_due(limit=5)
    assert len(smtp.mails) == 2


def test_without_an_address_for_staff_nothing_is_sent(settings: Settings) -> None:
    settings.STOCK_EMAIL = ""
    happens("stock_low", LOW)
    assert statuses() == []


def test_a_sent_mail_is_told_of_without_its_recipient(smtp: MailServer) -> None:
    want()
    comes_back()
    send_due(limit=5)
    told = OutboxEvent.objects.using(DATABASE).get()
    assert (told.type, told.saga_id, told.payload["kind"]) == ("mail_sent", None, "back_in_stock")
    assert ADA not in str(told.payload)


# Unsubscribing --------------------------------------------------------------------------


def link(mail: Any) -> str:
    url: str = mail["List-Unsubscribe"].strip().strip("<>")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    return url.removeprefix("http://127.0.0.1:8000")


def test_the_link_in_the_mail_asks_first_and_then_takes_the_address_off_everything(
    smtp: MailServer, client: Client
) -> None:
    want(ADA)
    comes_back()
    send_due(limit=5)
    url = link(smtp.mails[0])
    want(ADA, sku="TEAPOT")
    want(ADA, sku="BOWL")
    comes_back(sku="BOWL")
    want(BOB, sku="TEAPOT")

    asked = client.get(url)
    assert (asked.status_code, asked["Referrer-Policy"]) == (200, "no-referrer")
    assert "Send me nothing more" in asked.content.decode()
    assert statuses() == ["SENT", "WAITING", "DUE", "WAITING"], "looking changes nothing"

    assert "Done" in client.post(url).content.decode()
    comes_back(sku="TEAPOT")
    assert send_due(limit=5) == 1
    assert smtp.mails[-1]["To"] == BOB


def test_a_mail_program_unsubscribes_with_one_post_and_no_cookie(
    smtp: MailServer,
) -> None:
    """Source: RFC 8058. The signed link is the proof; a CSRF token would be in the way."""
    want(ADA)
    comes_back()
    send_due(limit=5)
    want(ADA, sku="TEAPOT")
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post(link(smtp.mails[0]), {"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, statuses()[-1]) == (200, "UNSUBSCRIBED")


def test_a_link_that_is_not_ours_is_not_known(client: Client) -> None:
    want(ADA)
    notice = Notice.objects.using(DATABASE).get()
    for token in ("x", notice.pk.hex, f"{notice.pk.hex}:forged"):
        assert client.post(f"/unsubscribe/{token}").status_code == 404
    assert statuses() == ["WAITING"]


def test_addresses_are_forgotten_when_nothing_more_is_sent_to_them(smtp: MailServer) -> None:
    want(ADA)
    comes_back()
    send_due(limit=5)
    want(BOB)
    rows = Notice.objects.using(DATABASE)
    assert notices.purge() == 0
    rows.update(created_at=Now() - timedelta(days=31))
    assert notices.purge() == 1
    assert statuses() == ["WAITING"]
    rows.update(created_at=Now() - timedelta(days=366))
    assert notices.purge() == 1
