"""What is committed reaches each consumer once in effect, whoever dies on the way."""

import time
from collections.abc import Sequence
from datetime import timedelta
from threading import Event as Signal

import pytest
from django.db import connections, transaction
from django.db.models.functions import Now
from kombu.exceptions import OperationalError
from pytest_django import Settings

from orders.models import DATABASE, InboxEntry, OutboxEvent
from orders.tests import ears
from orders.tests.ears import heard, say
from sagas.events import inbox, relay
from sagas.events.facts import Event
from sagas.events.tests.crew import Killed, Worker

pytestmark = pytest.mark.django_db(databases=["orders"], transaction=True)

#: settings.EVENT_LOST_AFTER as it stands.
LOST_AFTER = timedelta(seconds=60)
#: As many events as one message has at the most.
FULL = 25


class Broker:
    """A broker in memory that may be away, or take its sender down with it."""

    def __init__(self) -> None:
        self.messages: list[tuple[Sequence[Event], str]] = []
        self.takes = 1_000_000
        self.then: type[BaseException] = OperationalError

    def send(self, events: Sequence[Event], consumer: str) -> None:
        if self.takes <= len(self.messages):
            raise self.then
        self.messages.append((events, consumer))

    @property
    def amounts(self) -> list[int]:
        """Return what it was told, in order."""
        return [event.payload["amount"] for events, _ in self.messages for event in events]

    def deliver(self) -> None:
        """Bring everything to its consumers, as the workers do."""
        messages, self.messages = self.messages, []
        for events, consumer in messages:
            inbox.receive([Event.from_json(event.as_json()) for event in events], consumer)


@pytest.fixture
def broker(settings: Settings) -> Broker:
    settings.EVENT_CONSUMERS = ears.HEARD
    return Broker()


def waiting() -> int:
    return OutboxEvent.objects.using(DATABASE).filter(relayed_at=None).count()


def let_claims_run_out() -> None:
    OutboxEvent.objects.using(DATABASE).filter(claimed_until__isnull=False).update(
        claimed_until=Now()
    )


def test_events_are_relayed_once_and_in_order(broker: Broker) -> None:
    say(1, 2, 3)
    assert relay.relay(OutboxEvent, send=broker.send) == 3
    assert relay.relay(OutboxEvent, send=broker.send) == 0
    broker.deliver()
    assert heard() == [1, 2, 3]


def test_what_waits_together_travels_together(broker: Broker) -> None:
    say(*range(FULL + 1))
    relay.relay(OutboxEvent, send=broker.send)
    assert [len(events) for events, _ in broker.messages] == [FULL, 1]


def test_a_relay_that_dies_between_publishing_and_marking_doubles_and_loses_nothing(
    broker: Broker,
) -> None:
    """Guard: ``orders_inbox_once``, the unique key of event and consumer."""
    first, rest = [*range(FULL)], [FULL, FULL + 1]
    say(*first, *rest)
    broker.takes, broker.then = 1, Killed
    with pytest.raises(Killed):
        relay.relay(OutboxEvent, send=broker.send)
    assert waiting() == FULL + 2, "one message was published, and none of its events was marked"

    assert relay.relay(OutboxEvent, send=broker.send) == 0, "the dead relay's claim still holds"
    let_claims_run_out()
    broker.takes = 1_000_000
    assert relay.relay(OutboxEvent, send=broker.send) == FULL + 2
    assert broker.amounts == [*first, *first, *rest]
    broker.deliver()
    assert heard() == [*first, *rest]


def test_without_the_unique_key_the_doubled_event_has_two_effects(broker: Broker) -> None:
    """The guard of the test above, taken away."""
    say(1)
    relay.relay(OutboxEvent, send=broker.send)
    broker.messages *= 2
    key = "ALTER TABLE orders_inboxentry"
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(f"{key} DROP CONSTRAINT orders_inbox_once")
    try:
        broker.deliver()
        assert heard() == [1, 1]
    finally:
        InboxEntry.objects.using(DATABASE).all().delete()
        with connections[DATABASE].cursor() as cursor:
            cursor.execute(f"{key} ADD CONSTRAINT orders_inbox_once UNIQUE (event_id, consumer)")


def test_two_copies_at_once_have_one_effect(broker: Broker) -> None:
    """Guard: ``orders_inbox_once``: the second INSERT waits for the first's commit."""
    say(1)
    relay.relay(OutboxEvent, send=broker.send)
    [(events, consumer)] = broker.messages
    workers = [Worker(lambda: inbox.receive(events, consumer)) for _ in range(8)]
    assert [worker.end().error for worker in workers] == [None] * 8
    assert heard() == [1]


def test_a_broker_that_is_away_leaves_the_rest_waiting_and_gets_it_later(broker: Broker) -> None:
    say(*range(FULL + 2))
    broker.takes = 1
    assert relay.relay(OutboxEvent, send=broker.send) == FULL
    assert waiting() == 2
    broker.takes = 1_000_000
    assert relay.relay(OutboxEvent, send=broker.send) == 2
    broker.deliver()
    assert heard() == [*range(FULL + 2)]


def test_a_second_relay_does_not_overtake_the_first_on_one_aggregate(broker: Broker) -> None:
    """Guard: a claim leaves out aggregates that another relay is at work on."""
    say(1, aggregate="order:1")
    first_is_at_work, may_go_on = Signal(), Signal()

    def slowly(events: Sequence[Event], consumer: str) -> None:
        first_is_at_work.set()
        assert may_go_on.wait(20)
        broker.send(events, consumer)

    first = Worker(lambda: relay.relay(OutboxEvent, send=slowly))
    assert first_is_at_work.wait(20)
    say(2, aggregate="order:1")
    say(3, aggregate="order:2")
    relay.relay(OutboxEvent, send=broker.send)
    assert broker.amounts == [3], "another aggregate"
    may_go_on.set()
    assert first.end().error is None
    relay.relay(OutboxEvent, send=broker.send)
    assert broker.amounts == [3, 1, 2]


def test_many_relays_at_once_publish_each_event_once(broker: Broker) -> None:
    """Six drain one outbox side by side."""
    for number in range(60):
        say(number, aggregate=f"order:{number % 7}")

    def drain() -> None:
        while relay.relay(OutboxEvent, send=broker.send):
            pass

    for worker in [Worker(drain) for _ in range(6)]:
        assert worker.end().error is None
    let_claims_run_out()
    drain()
    assert sorted(broker.amounts) == list(range(60))


def test_two_relays_that_claim_at_once_take_each_event_once(broker: Broker) -> None:
    """Guard: the advisory lock; the second relay looks for events when the first has claimed."""
    say(1)
    with transaction.atomic(using=DATABASE):
        OutboxEvent.objects.using(DATABASE).select_for_update().get()
        relays = [Worker(lambda: relay.relay(OutboxEvent, send=broker.send)) for _ in range(2)]
        until = time.monotonic() + 20
        while _who_wait_for_a_lock() < len(relays):
            assert time.monotonic() < until, "they do not wait for each other"
            time.sleep(0.01)
    assert [worker.end().error for worker in relays] == [None, None]
    assert broker.amounts == [1]


def _who_wait_for_a_lock() -> int:
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE NOT granted AND datname = current_database()"
        )
        count: int = cursor.fetchone()[0]
    return count


def test_a_message_that_the_broker_lost_is_noticed_and_sent_again(broker: Broker) -> None:
    say(1)
    relay.relay(OutboxEvent, send=broker.send)
    say(2)
    relay.relay(OutboxEvent, send=broker.send)
    del broker.messages[0]
    broker.deliver()
    assert heard() == [2]

    relay.resend_lost(OutboxEvent, send=broker.send)
    assert broker.messages == [], "it may still be on its way"
    rows = OutboxEvent.objects.using(DATABASE)
    rows.update(relayed_at=Now() - LOST_AFTER)
    relay.resend_lost(OutboxEvent, send=broker.send)
    assert broker.amounts == [1]
    broker.deliver()
    rows.filter(received_at=None).update(relayed_at=Now() - LOST_AFTER)
    relay.resend_lost(OutboxEvent, send=broker.send)
    assert heard() == [2, 1]
    assert not rows.filter(received_at=None).exists()
