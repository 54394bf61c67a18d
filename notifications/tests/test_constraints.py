"""What the database refuses, whatever the code does."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from notifications.models import (
    DATABASE,
    DeliveryStatus,
    Kind,
    Message,
    Notice,
    NoticeStatus,
    Status,
    Topic,
    WebhookDelivery,
    WebhookEndpoint,
)

pytestmark = pytest.mark.django_db(databases=["notifications"])


def row(**values: Any) -> Message:
    saga_id = uuid4()
    given = {
        "saga_id": saga_id,
        "kind": Kind.CONFIRMATION,
        "recipient": "ada@example.com",
        "subject": "Your order",
        "message_id": f"<{saga_id}@shop.example>",
        **values,
    }
    return Message.objects.using(DATABASE).create(**given)


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"subject": "Hello\r\nBcc: eve@evil.example"}, "headers_are_one_line"),
        ({"recipient": "ada@example.com\n"}, "headers_are_one_line"),
        ({"message_id": "<a@b>\r\nX: y"}, "headers_are_one_line"),
        ({"kind": "gossip"}, "kind_is_known"),
        ({"status": Status.SENT}, "sent_means_sent"),
        ({"status": Status.SENT, "sent_at": Now()}, "sent_means_sent"),
        ({"sent_at": Now()}, "sent_means_sent"),
        ({"status": Status.CANCELLED, "claimed_until": Now()}, "only_pending_is_claimed"),
        ({"attempts": -1}, "attempts"),
    ],
)
def test_a_row_that_must_never_be_is_refused(values: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic(using=DATABASE):
        row(**values)


def test_a_saga_has_one_message_of_a_kind() -> None:
    first = row()
    with pytest.raises(IntegrityError, match="one_message_a_kind"):
        row(saga_id=first.saga_id)


def test_a_message_id_is_given_once() -> None:
    first = row()
    with pytest.raises(IntegrityError, match="message_id_once"):
        row(message_id=first.message_id)


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"status": NoticeStatus.SENT}, "notice_sent_means_sent"),
        ({"status": NoticeStatus.SENT, "sent_at": Now()}, "notice_sent_means_sent"),
        ({"sent_at": Now()}, "notice_sent_means_sent"),
        ({"status": NoticeStatus.DUE}, "due_has_its_time"),
        ({"next_attempt_at": Now()}, "due_has_its_time"),
    ],
)
def test_a_notice_that_must_never_be_is_refused(values: dict[str, Any], constraint: str) -> None:
    given = {"topic": Topic.BACK_IN_STOCK, "sku": "MUG", "recipient": "ada@example.com", **values}
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic(using=DATABASE):
        Notice.objects.using(DATABASE).create(**given)


def endpoint(**values: Any) -> WebhookEndpoint:
    given = {"url": "https://shop.example/hooks", "seed": "seed", **values}
    return WebhookEndpoint.objects.using(DATABASE).create(**given)


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"disabled_at": Now()}, "disabled_says_why"),
        ({"disabled_why": "gone"}, "disabled_says_why"),
        ({"seed": ""}, "endpoint_has_a_seed"),
    ],
)
def test_an_endpoint_that_must_never_be_is_refused(values: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic(using=DATABASE):
        endpoint(**values)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"next_attempt_at": Now(), "delivered_at": Now()},
        {"status": DeliveryStatus.DELIVERED},
        {"status": DeliveryStatus.DELIVERED, "delivered_at": Now(), "next_attempt_at": Now()},
        {"status": DeliveryStatus.GIVEN_UP, "next_attempt_at": Now()},
    ],
)
def test_a_delivery_has_the_times_of_its_status(values: dict[str, Any]) -> None:
    given = {"endpoint": endpoint(), "event_id": uuid4(), "type": "stock_low", "body": "{}"}
    with (
        pytest.raises(IntegrityError, match="notifications_delivery_has_its_time"),
        transaction.atomic(using=DATABASE),
    ):
        WebhookDelivery.objects.using(DATABASE).create(**given, **values)
