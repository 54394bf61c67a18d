"""The timeline of an order: what all domains told of it, for whoever placed it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from orders.models import InboxEntry, OutboxEvent
from orders.tests.posting import order
from sagas.events import inbox, relay
from sagas.events.facts import Event, new_event_id

pytestmark = pytest.mark.django_db(databases=["default", "orders"], transaction=True)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TIMELINE = "orders.timeline.record"


def hear(event_type: str, minute: int, saga_id: UUID | None, **payload: object) -> Event:
    event = Event(
        id=new_event_id(),
        type=event_type,
        aggregate="payment:1",
        saga_id=saga_id,
        payload=payload,
        sequence=1,
        happened_at=NOON + timedelta(minutes=minute),
    )
    inbox.receive([event], TIMELINE)
    return event


@pytest.fixture
def ada(client: Client) -> User:
    """A shopper who is signed in."""
    user = User.objects.create_user("ada")
    client.force_login(user)
    return user


def timeline(client: Client, number: str) -> Any:
    return client.get(f"/api/v1/orders/{number}/timeline")


def test_it_is_in_order_of_time_however_the_events_arrive(client: Client, ada: User) -> None:
    saga_id, made = order(principal=f"user:{ada.pk}")
    sent = hear("mail_sent", 3, saga_id, kind="confirmation", notification_id="x")
    hear("payment_captured", 1, saga_id, amount=3390, currency="EUR", payment_id="pay")
    inbox.receive([sent], TIMELINE)

    answer = timeline(client, made["number"])
    assert answer.status_code == 200
    assert answer.json() == [
        {
            "type": "payment_captured",
            "happened_at": "2026-11-23T12:01:00Z",
            "details": {"amount": 3390, "currency": "EUR"},
        },
        {
            "type": "mail_sent",
            "happened_at": "2026-11-23T12:03:00Z",
            "details": {"kind": "confirmation"},
        },
    ]


def test_anybody_elses_timeline_does_not_exist(client: Client) -> None:
    _, made = order(principal="user:0")
    assert timeline(client, made["number"]).status_code == 401
    client.force_login(User.objects.create_user("eve"))
    assert timeline(client, made["number"]).status_code == 404
    assert timeline(client, "MG-NONSENSE").status_code == 404


def test_the_orders_own_events_are_in_it(client: Client, ada: User, settings: Settings) -> None:
    settings.EVENT_CONSUMERS = {"order_created": [TIMELINE]}
    _, made = order(principal=f"user:{ada.pk}")
    relay.relay(OutboxEvent, send=inbox.receive)
    [entry] = timeline(client, made["number"]).json()
    assert (entry["type"], entry["details"]["number"]) == ("order_created", made["number"])


def test_an_event_of_no_checkout_is_left_out_and_done() -> None:
    hear("order_created", 1, None)
    assert InboxEntry.objects.using("orders").get().status == "DONE"


def test_staff_read_it_on_the_orders_page(admin_client: Client) -> None:
    saga_id, made = order()
    hear("payment_refunded", 1, saga_id, amount=3390, currency="EUR", late=True)
    page = admin_client.get(reverse("admin:orders_order_change", args=[made["order_id"]]))
    words = page.content.decode()
    assert "payment refunded" in words
    assert "33.90 EUR, late" in words
