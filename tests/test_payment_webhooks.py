"""Webhooks on the real system: the provider's process, the web server, the broker, a worker."""

from collections.abc import Iterator

import httpx
import pytest

from payments.models import EventStatus, ProviderEvent
from payments.services import money_of
from tests.conftest import Stack
from tests.waiting import eventually
from tooling.local.stack import WEBHOOK_SECRET

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


def _provoke(shop: Stack, what: str, **parameters: str) -> None:
    url = f"http://127.0.0.1:{shop.ports.provider}/v1/test_helpers/{what}"
    httpx.post(url, data=parameters, timeout=20).raise_for_status()


def _unprocessed() -> list[tuple[object, ...]]:
    rows = ProviderEvent.objects.using("payments").filter(status=EventStatus.RECEIVED)
    return list(rows.values_list("kind", "attempts", "outcome"))


@pytest.fixture
def told(shop: Stack) -> Iterator[Stack]:
    """The provider tells the web server what happens; at the end all of it is processed."""
    url = f"{shop.api}/webhooks/payments/fake"
    _provoke(shop, "webhooks", url=url, secret=WEBHOOK_SECRET)
    yield shop
    _provoke(shop, "webhooks", url="off")
    # Two that ask about one payment at once may be told to wait: then the sweep asks after 30 s.
    eventually(_unprocessed, until=lambda left: not left, timeout=60)


def test_a_shopper_authenticates_and_a_webhook_lets_the_checkout_go_on(told: Stack) -> None:
    placed = told.place(key="3ds-webhook", token="tok_requires_action")
    standing = eventually(
        lambda: told.look(placed), until=lambda seen: seen["status"] == "requires_action"
    )
    httpx.post(standing["next_action"]["url"], data={"outcome": "success"}, timeout=20)
    # The next look is up to 10 s away; the webhook is quicker.
    standing = eventually(
        lambda: told.look(placed), until=lambda seen: seen["status"] == "completed", timeout=9
    )
    assert standing["next_action"] is None


def test_a_late_charge_is_refunded_by_its_webhook(told: Stack) -> None:
    placed = told.place(key="late-webhook", token="tok_success_after_decline_600")
    assert told.settled(placed)["status"] == "failed"
    _provoke(told, "advance")
    money = eventually(
        lambda: money_of(saga_id=placed.json()["id"]), until=lambda money: money.refunded > 0
    )
    assert money.captured == money.refunded
