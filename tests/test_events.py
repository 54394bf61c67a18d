"""Events on the real system: processes, broker, mail server and a receiver of webhooks."""

import httpx
import pytest
from django.db.models import Q

from inventory import models as inventory_models
from inventory import services as inventory
from notifications.models import DeliveryStatus, Notice, NoticeStatus, WebhookDelivery
from notifications.tests import hooks
from notifications.tests.receiver import Receiver, listening
from notifications.webhooks import steering
from orders.models import OutboxEvent, TimelineEntry
from sagas.participant.crash import Moment
from sagas.participant.crash_plan import FolderPlan, How
from tests.conftest import Stack, broker
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

CHECKOUT = [
    "order_created",
    "stock_reserved",
    "payment_captured",
    "order_confirmed",
    "mail_sent",
]

UNDONE = ["order_created", "stock_reserved", "stock_released", "order_cancelled", "mail_sent"]


def timeline(shop: Stack, placed: httpx.Response) -> list[str]:
    number = shop.look(placed)["order_number"]
    answer = httpx.get(
        f"{shop.api}/orders/{number}/timeline",
        headers={"Authorization": f"Order {placed.json()['order_token']}"},
        timeout=20,
    )
    answer.raise_for_status()
    return [entry["type"] for entry in answer.json()]


def test_a_checkout_has_a_timeline_that_every_domain_wrote_on(shop: Stack) -> None:
    placed = shop.place(key="timeline")
    assert shop.settled(placed)["status"] == "completed"
    seen = eventually(lambda: timeline(shop, placed), until=lambda seen: len(seen) == 5)
    assert seen == CHECKOUT


def test_a_checkout_that_is_undone_says_so_in_order(shop: Stack) -> None:
    placed = shop.place(key="undone", token="tok_declined")
    assert shop.settled(placed)["status"] == "failed"
    saga_id = placed.json()["id"]
    rows = TimelineEntry.objects.using("orders").filter(saga_id=saga_id)
    seen = eventually(
        lambda: list(rows.values_list("type", flat=True)), until=lambda seen: len(seen) == 5
    )
    assert seen == [
        "order_created",
        "stock_reserved",
        "stock_released",
        "order_cancelled",
        "mail_sent",
    ]


def test_the_shops_own_system_is_told_once_of_each_step_and_checks_the_signature(
    shop: Stack,
) -> None:
    with listening() as receiver:
        to = hooks.endpoint(receiver.url, *CHECKOUT)
        secret = steering.show_secret(to.pk)
        assert secret is not None
        receiver.replies = [503]
        placed = shop.place(key="webhooks")
        _until_delivered(receiver, 6)
    assert sorted({request.document["type"] for request in receiver.requests}) == sorted(CHECKOUT)
    assert len(set(receiver.ids)) == 5
    for request in receiver.requests:
        assert request.is_signed_with(secret)
        assert request.document["data"]["checkout_id"] == placed.json()["id"]
        assert b"ada@" not in request.body.lower()
        assert b"@" not in request.body


def _until_delivered(receiver: Receiver, requests: int) -> None:
    eventually(lambda: len(receiver.requests), until=lambda n: n >= requests, timeout=60)
    pending = WebhookDelivery.objects.using("notifications").filter(
        ~Q(status=DeliveryStatus.DELIVERED)
    )
    eventually(pending.exists, until=lambda some: not some)


def test_who_waits_for_a_product_is_written_to_when_it_is_back(shop: Stack) -> None:
    inventory.reset_stock(sku="MUG-BLUE", available=0)
    for _ in range(2):
        answer = httpx.post(
            f"{shop.api}/products/MUG-BLUE/back-in-stock",
            json={"email": "ada@example.org"},
            timeout=20,
        )
        assert answer.status_code == 202
    inventory.receive_stock(sku="MUG-BLUE", quantity=3)
    notice = Notice.objects.using("notifications")
    eventually(lambda: notice.get().status, until=lambda status: status == NoticeStatus.SENT)
    [mail] = shop.mails(f"back_in_stock.{notice.get().pk}")
    assert mail["To"] == "ada@example.org"


def test_events_that_a_broker_missed_are_relayed_once_it_is_back(shop: Stack) -> None:
    """The broker goes away while a checkout runs: its events wait in their outboxes."""
    placed = shop.place(key="broker-away")
    saga_id = placed.json()["id"]
    made = OutboxEvent.objects.using("orders").filter(saga_id=saga_id)
    eventually(made.exists)
    shop.supervisor.stop("broker")
    try:
        inventory.reset_stock(sku="TEAPOT", available=0)
        inventory.receive_stock(sku="TEAPOT", quantity=1)
        missed = inventory_models.OutboxEvent.objects.using("inventory").filter(relayed_at=None)
        assert missed.filter(type="back_in_stock").exists()
    finally:
        shop.supervisor.start(broker(shop.sockets))
        shop.supervisor.wait_ready("broker")
    eventually(missed.exists, until=lambda some: not some, timeout=60)
    assert shop.settled(placed)["status"] == "completed"
    seen = eventually(lambda: timeline(shop, placed), until=lambda seen: len(seen) == 5, timeout=60)
    assert seen == CHECKOUT


def test_a_relay_that_is_killed_between_publishing_and_marking_doubles_without_effect(
    shop: Stack,
) -> None:
    """Guard: ``orders_inbox_once`` and ``notifications_inbox_once``."""
    plan = FolderPlan(shop.plans / "events")
    plan.arm("sagas.events.mark_relayed", Moment.BEFORE, {How.EXIT: [1]})
    placed = shop.place(key="killed-relay")
    assert shop.settled(placed)["status"] == "completed"
    eventually(plan.hits)
    seen = eventually(lambda: timeline(shop, placed), until=lambda seen: len(seen) >= 5, timeout=90)
    assert seen == CHECKOUT
