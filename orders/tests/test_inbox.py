"""A consumer that fails is tried again, holds up no other, and is shown when it is given up."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from orders.models import DATABASE, InboxEntry, OutboxEvent
from orders.tests import ears
from orders.tests.ears import DEADLY, DEAF, EAR, heard, say
from sagas.events import inbox, relay
from sagas.events.models import Handling
from sagas.events.tests.crew import Killed

pytestmark = pytest.mark.django_db(databases=["default", "orders"], transaction=True)


@pytest.fixture(autouse=True)
def two_consumers(settings: Settings) -> Iterator[None]:
    settings.EVENT_CONSUMERS = ears.HEARD_TWICE
    settings.EVENT_ATTEMPTS = 3
    yield
    ears.failures = 0


def bring() -> None:
    relay.relay(OutboxEvent, send=inbox.receive)


def entry(consumer: str = DEAF) -> InboxEntry:
    return InboxEntry.objects.using(DATABASE).get(consumer=consumer)


def try_again() -> int:
    InboxEntry.objects.using(DATABASE).filter(status=Handling.WAITING).update(next_attempt_at=Now())
    return inbox.retry_due(InboxEntry, limit=10)


def test_a_failing_consumer_leaves_no_half_effect_and_holds_up_no_other() -> None:
    """Guard: the savepoint around the effect."""
    ears.failures = 1
    say(7)
    bring()
    assert (heard("deaf"), heard("ear")) == ([], [7])
    assert (entry().status, entry().attempts) == (Handling.WAITING, 1)
    assert entry(EAR).status == Handling.DONE


def test_what_is_kept_of_an_error_quotes_nothing() -> None:
    ears.failures = 1
    say(7)
    bring()
    assert entry().last_error == "Deaf deaf"


def test_a_failed_event_waits_for_its_time_and_is_then_handled_once() -> None:
    ears.failures = 1
    say(7)
    bring()
    assert entry().next_attempt_at is not None
    assert try_again() == 1
    assert try_again() == 0
    assert (heard("deaf"), entry().status, entry().attempts) == ([0], Handling.DONE, 2)


def test_a_copy_of_a_failed_event_does_not_jump_its_back_off() -> None:
    ears.failures = 1
    say(7)
    bring()
    inbox.receive([entry().event], DEAF)
    assert (heard("deaf"), entry().attempts) == ([], 1)


def test_after_its_last_attempt_it_is_given_up_with_an_alert(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ears.failures = 3
    say(7)
    bring()
    assert (try_again(), try_again(), try_again()) == (1, 1, 0)
    assert entry().status == Handling.DEAD
    [alert] = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert alert.name == "sagas.events.alerts"
    assert "example.org" not in alert.getMessage()


def test_staff_replay_what_was_given_up(admin_client: Client) -> None:
    ears.failures = 3
    say(7)
    bring()
    try_again()
    try_again()
    page = reverse("admin:orders_inboxentry_change", args=[entry().pk])
    verb = reverse("admin:orders_inboxentry_verb", args=[entry().pk, "replay"])
    assert verb in admin_client.get(page).content.decode()
    assert "what will happen" in admin_client.get(verb).content.decode()
    assert entry().status == Handling.DEAD, "looking changes nothing"
    assert admin_client.post(verb).status_code == 302
    assert (entry().status, entry().attempts) == (Handling.WAITING, 0)
    assert try_again() == 1
    assert heard("deaf") == [0]


def test_a_replay_that_comes_too_late_is_refused_in_words(admin_client: Client) -> None:
    say(7)
    bring()
    verb = reverse("admin:orders_inboxentry_verb", args=[entry().pk, "replay"])
    answer = admin_client.post(verb, follow=True).content.decode()
    assert "not given up any more" in answer
    assert entry().status == Handling.DONE


def test_who_lacks_the_permission_cannot_replay(client: Client) -> None:
    user = User.objects.create_user("vera", is_staff=True)
    client.force_login(user)
    say(7)
    bring()
    verb = reverse("admin:orders_inboxentry_verb", args=[entry().pk, "replay"])
    assert (client.post(verb).status_code, client.get(verb).status_code) == (403, 403)


def test_an_event_that_kills_its_worker_each_time_is_given_up_at_last() -> None:
    """Guard: a message that comes again is only kept; an attempt is counted before it begins."""
    say(7)
    event = OutboxEvent.objects.using(DATABASE).get().event
    with pytest.raises(Killed):
        inbox.receive([event], DEADLY)
    inbox.receive([event], DEADLY, is_again=True)
    for _ in range(3):
        with pytest.raises(Killed):
            try_again()
    assert (entry(DEADLY).status, entry(DEADLY).attempts) == (Handling.WAITING, 3)
    try_again()
    assert (entry(DEADLY).status, entry(DEADLY).last_error) == (Handling.DEAD, "WorkerLost")


def test_of_some_events_the_one_that_fails_holds_up_none_of_the_others() -> None:
    ears.failures = 2  # once with all of them, once alone
    say(7, 8, 9)
    bring()
    assert heard("ear") == [7, 8, 9]
    assert len(heard("deaf")) == 2
    statuses = InboxEntry.objects.using(DATABASE).filter(consumer=DEAF).values_list("status")
    assert sorted(status for (status,) in statuses) == ["DONE", "DONE", "WAITING"]
