"""What each domain's database refuses of outboxes and inboxes: one table each in several places."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from inventory.models import OutboxEvent as InventoryOutbox
from notifications.models import InboxEntry as NotificationsInbox
from notifications.models import OutboxEvent as NotificationsOutbox
from orders.models import InboxEntry as OrdersInbox
from orders.models import OutboxEvent as OrdersOutbox
from payments.models import OutboxEvent as PaymentsOutbox
from sagas.events.models import AbstractInboxEntry, AbstractOutboxEvent, Handling

pytestmark = pytest.mark.django_db(databases="__all__")

OUTBOXES: dict[str, type[AbstractOutboxEvent]] = {
    "orders": OrdersOutbox,
    "inventory": InventoryOutbox,
    "payments": PaymentsOutbox,
    "notifications": NotificationsOutbox,
}
INBOXES: dict[str, type[AbstractInboxEntry]] = {
    "orders": OrdersInbox,
    "notifications": NotificationsInbox,
}


def _outbox_refuses(domain: str, constraint: str, **values: Any) -> None:
    rows = OUTBOXES[domain]._base_manager.using(domain)
    with (
        pytest.raises(IntegrityError, match=f"{domain}_{constraint}"),
        transaction.atomic(using=domain),
    ):
        rows.create(type="order_created", aggregate="order:1", **values)


@pytest.mark.parametrize("domain", OUTBOXES)
def test_what_is_relayed_is_claimed_by_no_relay(domain: str) -> None:
    _outbox_refuses(domain, "outbox_claimed_while_it_waits", claimed_until=Now(), relayed_at=Now())


@pytest.mark.parametrize("domain", OUTBOXES)
def test_what_was_received_was_relayed_before(domain: str) -> None:
    _outbox_refuses(domain, "outbox_relayed_before_received", received_at=Now())


def _entry(domain: str, **values: Any) -> None:
    given = {
        "event_id": uuid4(),
        "consumer": "a.consumer",
        "type": "order_created",
        "aggregate": "order:1",
        "sequence": 1,
        "happened_at": Now(),
        "next_attempt_at": Now(),
        **values,
    }
    INBOXES[domain]._base_manager.using(domain).create(**given)


@pytest.mark.parametrize("domain", INBOXES)
def test_an_event_is_heard_once_by_a_consumer(domain: str) -> None:
    event_id = uuid4()
    _entry(domain, event_id=event_id)
    _entry(domain, event_id=event_id, consumer="another.consumer")
    with (
        pytest.raises(IntegrityError, match=f"{domain}_inbox_once"),
        transaction.atomic(using=domain),
    ):
        _entry(domain, event_id=event_id)


@pytest.mark.parametrize("domain", INBOXES)
@pytest.mark.parametrize(
    "values",
    [
        {"next_attempt_at": None},
        {"done_at": Now()},
        {"status": Handling.DONE},
        {"status": Handling.DONE, "done_at": Now()},
        {"status": Handling.DEAD},
    ],
    ids=[
        "waits for nothing",
        "waits though done",
        "done at no time",
        "done but due",
        "dead but due",
    ],
)
def test_an_entry_has_the_times_of_its_status(domain: str, values: dict[str, Any]) -> None:
    with (
        pytest.raises(IntegrityError, match=f"{domain}_inbox_status_has_its_time"),
        transaction.atomic(using=domain),
    ):
        _entry(domain, **values)
