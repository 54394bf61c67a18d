"""An event reaches an endpoint that stumbles, and one that is gone is left alone at last."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connections
from django.db.models.functions import Now
from pytest_django import Settings

from notifications.models import (
    DATABASE,
    DeliveryStatus,
    InboxEntry,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from notifications.tests import hooks
from notifications.tests.conftest import free_port
from notifications.tests.receiver import Receiver
from notifications.webhooks import sending, steering
from sagas.events import inbox
from sagas.events.tests.crew import Killed, Worker
from sagas.participant import crash
from sagas.participant.crash import Moment

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)


def test_an_event_goes_to_each_endpoint_that_wants_its_type(receiver: Receiver) -> None:
    wants = hooks.endpoint(receiver.url, "order_confirmed", "order_cancelled")
    hooks.endpoint(receiver.url, "stock_low")
    hooks.happens()
    hooks.happens("payment_captured")
    assert [(each.type, each.endpoint_id) for each in hooks.deliveries()] == [
        ("order_confirmed", wants.pk)
    ]


def test_a_doubled_event_is_delivered_once(receiver: Receiver) -> None:
    """Guard: the inbox's unique key; and ``notifications_delivered_once`` behind it."""
    to = hooks.endpoint(receiver.url)
    event = hooks.happens()
    inbox.receive([event], hooks.QUEUE)
    InboxEntry.objects.using(DATABASE).all().delete()
    inbox.receive([event], hooks.QUEUE)
    hooks.send(to)
    assert receiver.ids == [str(event.id)]


def test_events_are_sent_in_order_as_long_as_they_are_taken(receiver: Receiver) -> None:
    to = hooks.endpoint(receiver.url)
    events = [hooks.happens(number=number) for number in range(5)]
    sending.deliver_due(to.pk)
    assert receiver.ids == [str(event.id) for event in events]


def test_what_fails_is_sent_again_with_the_same_id_and_bytes(receiver: Receiver) -> None:
    to = hooks.endpoint(receiver.url)
    receiver.replies = [500, 429]
    hooks.happens()
    for _ in range(3):
        hooks.send(to)
    assert len(set(receiver.ids)) == 1
    assert len({request.body for request in receiver.requests}) == 1
    [delivery] = hooks.deliveries()
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.DELIVERED, 3)
    log = WebhookAttempt.objects.using(DATABASE).order_by("id")
    assert [(each.number, each.status_code, each.error) for each in log] == [
        (1, 500, "status-500"),
        (2, 429, "status-429"),
        (3, 204, ""),
    ]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 503])
def test_no_answer_but_a_success_is_one_and_no_redirect_is_followed(
    receiver: Receiver, status: int
) -> None:
    to = hooks.endpoint(receiver.url)
    receiver.replies = [status]
    hooks.happens()
    hooks.send(to)
    assert [request.path for request in receiver.requests] == ["/hooks?shop=1"]
    assert hooks.deliveries()[0].last_error == f"status-{status}"


def test_a_receiver_that_is_silent_is_a_failure_in_time(
    receiver: Receiver, settings: Settings
) -> None:
    settings.WEBHOOK_TIMEOUT = 0.2
    receiver.may_reply.clear()
    to = hooks.endpoint(receiver.url)
    hooks.happens()
    hooks.send(to)
    assert hooks.deliveries()[0].last_error == "time-out"


def test_a_receiver_that_is_away_is_a_failure() -> None:
    to = hooks.endpoint(f"http://127.0.0.1:{free_port()}/")
    hooks.happens()
    hooks.send(to)
    assert hooks.deliveries()[0].last_error == "ConnectError"


def test_waits_grow_with_jitter_and_end_after_about_three_days() -> None:
    for _ in range(50):
        waits = [sending.wait_after(attempt) for attempt in range(1, sending.ATTEMPTS)]
        assert timedelta(seconds=3.75) <= waits[0] <= timedelta(seconds=6.25)
        assert max(waits) <= timedelta(hours=30)
        assert timedelta(days=2.4) <= sum(waits, timedelta()) <= timedelta(days=4.1)
    assert len({sending.wait_after(3) for _ in range(20)}) > 1


def test_a_failed_delivery_is_not_due_before_its_time(receiver: Receiver) -> None:
    to = hooks.endpoint(receiver.url)
    receiver.replies = [500]
    hooks.happens()
    hooks.send(to)
    assert sending.deliver_due(to.pk) is False
    assert sending.busy_endpoints() == []
    assert len(receiver.requests) == 1


def test_after_its_last_attempt_a_delivery_is_given_up(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    to = hooks.endpoint(receiver.url)
    receiver.replies = [500] * 20
    hooks.happens()
    for _ in range(sending.ATTEMPTS + 2):
        hooks.send(to)
    assert len(receiver.requests) == sending.ATTEMPTS
    assert hooks.deliveries()[0].status == DeliveryStatus.GIVEN_UP
    assert "webhook_given_up" in caplog.text


def test_a_sick_endpoint_gets_one_attempt_a_turn(receiver: Receiver) -> None:
    to = hooks.endpoint(receiver.url)
    receiver.replies = [500] * 20
    for number in range(5):
        hooks.happens(number=number)
    assert sending.deliver_due(to.pk) is False
    assert len(receiver.requests) == 1


def test_an_endpoint_that_is_gone_is_turned_off_with_an_alert(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    to = hooks.endpoint(receiver.url)
    receiver.replies = [410]
    hooks.happens()
    hooks.happens(number=2)
    hooks.send(to)
    assert hooks.again(to).disabled_why == "gone"
    assert {each.last_error for each in hooks.deliveries()} == {"endpoint-off"}
    assert "webhook_endpoint_disabled" in caplog.text


def test_an_endpoint_that_fails_for_three_days_is_turned_off_with_an_alert(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    to = hooks.endpoint(receiver.url)
    receiver.replies = [500, 500, 500]
    hooks.happens()
    hooks.send(to)
    assert hooks.again(to).failing_since is not None
    assert hooks.again(to).disabled_at is None
    rows = WebhookEndpoint.objects.using(DATABASE)
    rows.update(failing_since=Now() - timedelta(days=3, minutes=1))
    hooks.send(to)
    assert hooks.again(to).disabled_why == "failing"
    [alert] = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert alert.name == "notifications.alerts"
    assert hooks.send(to) is False
    assert len(receiver.requests) == 2


def test_one_success_ends_the_count_of_a_long_failure(receiver: Receiver) -> None:
    to = hooks.endpoint(receiver.url)
    receiver.replies = [500]
    hooks.happens()
    hooks.send(to)
    hooks.send(to)
    assert hooks.again(to).failing_since is None


def test_an_endpoint_that_is_off_misses_nothing_that_a_replay_cannot_bring(
    receiver: Receiver,
) -> None:
    to = hooks.endpoint(receiver.url)
    steering.disable(to.pk, why="by hand")
    event = hooks.happens()
    assert hooks.send(to) is False
    steering.enable(to.pk)
    assert hooks.send(to) is False
    assert receiver.requests == []
    assert steering.replay(hooks.deliveries()[0].pk)
    hooks.send(to)
    assert receiver.ids == [str(event.id)]


def test_two_workers_at_once_send_a_delivery_once(receiver: Receiver) -> None:
    """Guard: the endpoint's lease, a counted UPDATE."""
    to = hooks.endpoint(receiver.url)
    for number in range(4):
        hooks.happens(number=number)
    receiver.may_reply.clear()
    first = Worker(lambda: sending.deliver_due(to.pk))
    assert receiver.arrived.wait(20)
    assert sending.deliver_due(to.pk) is False
    assert sending.busy_endpoints() == []
    receiver.may_reply.set()
    assert first.end().error is None
    assert len(receiver.ids) == len(set(receiver.ids)) == 4


def test_without_the_lease_the_claim_of_each_delivery_holds(receiver: Receiver) -> None:
    """Guard: the number of the attempt, which every claim raises."""
    to = hooks.endpoint(receiver.url)
    for number in range(12):
        hooks.happens(number=number)
    first = hooks.again(to)

    def drain() -> None:
        while delivery := sending._claim(first):
            sending._attempt(first, delivery)

    for worker in [Worker(drain) for _ in range(4)]:
        assert worker.end().error is None
    assert len(receiver.ids) == len(set(receiver.ids)) == 12


@pytest.mark.parametrize("moment", Moment)
def test_a_worker_that_dies_at_the_request_leaves_it_to_the_next(
    receiver: Receiver, moment: Moment
) -> None:
    """Before: nothing was sent. After: it is sent twice, under one id."""

    class Plan:
        def reached(self, point: str, at: Moment) -> None:
            if (point, at) == ("notifications.post_webhook", moment):
                raise Killed

    to = hooks.endpoint(receiver.url)
    event = hooks.happens()
    crash.arm(Plan())
    try:
        assert isinstance(Worker(lambda: sending.deliver_due(to.pk)).end().error, Killed)
    finally:
        crash.arm(None)
    assert sending.deliver_due(to.pk) is False, "the dead worker's claim still holds"
    WebhookEndpoint.objects.using(DATABASE).update(busy_until=Now())
    hooks.send(to)
    times = 1 if moment is Moment.BEFORE else 2
    assert receiver.ids == [str(event.id)] * times
    assert hooks.deliveries()[0].status == DeliveryStatus.DELIVERED


def test_a_span_of_time_is_replayed_and_what_is_outside_is_not(receiver: Receiver) -> None:
    to = hooks.endpoint(receiver.url)
    events = [hooks.happens(number=number) for number in range(3)]
    hooks.send(to)
    rows = WebhookDelivery.objects.using(DATABASE)
    for hours, event in zip((5, 3, 1), events, strict=True):
        rows.filter(event_id=event.id).update(created_at=Now() - timedelta(hours=hours))
    with connections[DATABASE].cursor() as cursor:
        cursor.execute("SELECT now()")
        now = cursor.fetchone()[0]
    span = {"since": now - timedelta(hours=4), "until": now - timedelta(hours=2)}
    assert steering.replay_range(to.pk, **span, only_given_up=True) == 0
    assert steering.replay_range(to.pk, **span, only_given_up=False) == 1
    assert steering.replay_range(uuid4(), **span, only_given_up=False) == 0
    hooks.send(to)
    assert receiver.ids[3:] == [str(events[1].id)]


def test_old_deliveries_are_forgotten_with_their_attempts(receiver: Receiver) -> None:
    to = hooks.endpoint(receiver.url)
    hooks.happens()
    hooks.send(to)
    hooks.happens(number=2)
    rows = WebhookDelivery.objects.using(DATABASE)
    rows.filter(status=DeliveryStatus.DELIVERED).update(created_at=Now() - timedelta(days=31))
    assert steering.purge() == 1
    assert rows.count() == 1
    assert not WebhookAttempt.objects.using(DATABASE).exists()
