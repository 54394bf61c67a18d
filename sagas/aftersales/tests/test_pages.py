"""Staff cancel, ship and give parts back in the console; each word is in the operator log."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from payments.tests.provider import FakeProvider
from sagas.aftersales.tests.conftest import MUG, Sale, follower
from sagas.models import OperatorAction, Saga
from sagas.tests.conftest import drive

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


@pytest.fixture
def olga() -> Client:
    client = Client()
    client.force_login(User.objects.db_manager("default").create_superuser("olga"))
    return client


def order_page(sale: Sale) -> str:
    return reverse("admin:orders_order_change", args=[sale.order.pk])


def refund_page(sale: Sale) -> str:
    return reverse("order-refund-page", args=[sale.order.pk])


def units(sale: Sale, quantity: int) -> dict[str, Any]:
    return {f"units_{sale.order.lines.get().pk}": quantity}


def test_the_order_page_offers_what_can_be_done(sale: Sale, olga: Client) -> None:
    page = olga.get(order_page(sale)).content.decode()
    assert all(label in page for label in ("Cancel the order", "Give a part back", "shipped"))
    ship = reverse("admin:orders_order_verb", args=[sale.order.pk, "ship"])
    olga.post(ship)
    assert sale.order.shipped_at is not None
    page = olga.get(order_page(sale)).content.decode()
    assert "Cancel the order" not in page
    assert "Give a part back" in page


def test_an_order_is_cancelled_on_a_word(sale: Sale, olga: Client) -> None:
    url = reverse("order-cancel-page", args=[sale.order.pk])
    assert "This cannot be undone" in olga.get(url).content.decode()
    assert not Saga.objects.using("default").filter(kind="cancellation").exists()
    assert "This field is required" in olga.post(url, {}).content.decode()
    answer = olga.post(url, {"note": "asked for on the phone"})
    saga = follower(sale, "cancellation")
    assert answer["Location"] == reverse("admin:sagas_saga_change", args=[saga.pk])
    logged = OperatorAction.objects.using("default").get(saga=saga)
    assert (logged.verb, logged.reason) == ("cancel_order", "asked for on the phone")
    page = olga.get(answer["Location"]).content.decode()
    assert "checkout" in page
    assert drive(saga.pk).state == "COMPLETE"
    assert "Cancellation</a>" in olga.get(_checkout_page(sale)).content.decode()


def test_a_part_is_given_back_once_its_amount_was_seen(
    sale: Sale, olga: Client, provider: FakeProvider
) -> None:
    url = refund_page(sale)
    key = olga.get(url).context["form"]["key"].value()
    typed = {"key": key, "reason": "damaged", "note": "broken handle", **units(sale, 1)}
    seen = olga.post(url, typed)
    assert seen.context["amount"] == MUG
    assert not Saga.objects.using("default").filter(kind="return").exists()
    for _ in range(2):  # a double click
        olga.post(url, {**typed, "agreed": str(MUG)})
    saga = follower(sale, "return")
    assert drive(saga.pk).state == "COMPLETE"
    assert provider.refunded(sale.payment.provider_ref) == MUG
    assert OperatorAction.objects.using("default").filter(saga=saga).count() == 1
    assert "1 left" in olga.get(url).content.decode()


def test_a_form_that_is_sent_again_when_nothing_is_left_leads_to_what_it_did(
    sale: Sale, olga: Client, provider: FakeProvider
) -> None:
    """The form's key is looked for before its fields are judged."""
    url = refund_page(sale)
    key = olga.get(url).context["form"]["key"].value()
    typed = {"key": key, "reason": "damaged", "note": "both", "agreed": 2 * MUG, **units(sale, 2)}
    first = olga.post(url, typed)
    saga = follower(sale, "return")
    assert drive(saga.pk).state == "COMPLETE"
    again = olga.post(url, typed)
    assert again["Location"] == first["Location"]
    assert provider.begun("refund", sale.payment.provider_ref) == 1


def test_an_amount_that_changed_since_it_was_seen_is_shown_anew(sale: Sale, olga: Client) -> None:
    """Guard: the amount that was shown is the amount that was agreed to."""
    url = refund_page(sale)
    key = olga.get(url).context["form"]["key"].value()
    typed = {"key": key, "reason": "damaged", "note": "broken", **units(sale, 2)}
    answer = olga.post(url, {**typed, "agreed": str(MUG)})
    assert answer.context["amount"] == 2 * MUG
    assert not Saga.objects.using("default").filter(kind="return").exists()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"amount": "25.01"}, "25.00 EUR are left"),
        ({"amount": "1.005"}, "EUR has 2 decimals"),
        ({}, "Say how many units"),
    ],
)
def test_what_cannot_be_given_back_is_refused_in_words(
    sale: Sale, olga: Client, typed: dict[str, str], words: str
) -> None:
    url = refund_page(sale)
    key = olga.get(url).context["form"]["key"].value()
    answer = olga.post(url, {"key": key, "reason": "late", "note": "x", **typed})
    assert words in answer.content.decode()


def test_without_the_permission_neither_page_is_shown(sale: Sale) -> None:
    client = Client()
    client.force_login(User.objects.db_manager("default").create_user("carl", is_staff=True))
    for name in ("order-cancel-page", "order-refund-page"):
        assert client.get(reverse(name, args=[sale.order.pk])).status_code == 403


def _checkout_page(sale: Sale) -> str:
    return reverse("admin:sagas_saga_change", args=[sale.checkout_id])
