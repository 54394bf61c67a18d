"""Consumers for the tests: what they heard is in the timeline, and they fail when told to."""

from django.db import transaction

from orders.models import DATABASE, InboxEntry, OutboxEvent, TimelineEntry
from sagas.events.facts import Event, Fact
from sagas.events.inbox import consumer
from sagas.events.outbox import tell
from sagas.events.tests.crew import Killed

#: How many more times the deaf ear fails, after it has begun to write.
failures = 0
#: The settings under which the tests' events have one consumer, or two.
HEARD = {"order_created": ["orders.tests.ears.ear"]}
HEARD_TWICE = {"order_created": ["orders.tests.ears.deaf", "orders.tests.ears.ear"]}
EAR, DEAF = "orders.tests.ears.ear", "orders.tests.ears.deaf"
DEADLY = "orders.tests.ears.deadly"


class Deaf(Exception):
    code = "deaf"


@consumer(InboxEntry)
def ear(event: Event) -> None:
    TimelineEntry.objects.using(DATABASE).create(
        saga_id=event.id, type="ear", payload=dict(event.payload), happened_at=event.happened_at
    )


@consumer(InboxEntry)
def deaf(event: Event) -> None:
    global failures  # noqa: PLW0603  (the test's own switch)
    TimelineEntry.objects.using(DATABASE).create(
        saga_id=event.id, type="deaf", payload={}, happened_at=event.happened_at
    )
    if failures:
        failures -= 1
        raise Deaf("nobody@example.org is not told")


@consumer(InboxEntry)
def deadly(event: Event) -> None:
    raise Killed


def say(*numbers: int, aggregate: str = "order:1") -> None:
    """Tell of ``numbers`` in one transaction."""
    with transaction.atomic(using=DATABASE):
        for number in numbers:
            tell(
                OutboxEvent,
                Fact(type="order_created", aggregate=aggregate, payload={"amount": number}),
            )


def heard(ear_name: str = "ear") -> list[int]:
    """Return what was heard, in the order in which it took effect."""
    rows = TimelineEntry.objects.using(DATABASE).filter(type=ear_name).order_by("id")
    return [row.payload.get("amount", 0) for row in rows]
