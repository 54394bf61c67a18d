"""Staff look at payments; nobody changes them, and nobody sees a token."""

from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client

from payments import aftermath
from payments.models import (
    DATABASE,
    Kind,
    Payment,
    PaymentMethod,
    PaymentOperation,
    ProviderEvent,
    Receipt,
)
from payments.tests.checkout import Checkout
from payments.tests.provider import FakeProvider

pytestmark = pytest.mark.django_db(databases=["default", DATABASE], transaction=True)


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("admin", password="x"))
    return client


@pytest.mark.parametrize("model", [Payment, PaymentMethod, PaymentOperation, Receipt])
def test_rows_are_listed_and_shown_and_never_changed(
    provider: FakeProvider,
    staff: Client,
    model: type[Payment | PaymentMethod | PaymentOperation | Receipt],
) -> None:
    Checkout(token="tok_success").charge()
    row = model._base_manager.using(DATABASE).first() if model is not Receipt else None
    base = f"/admin/payments/{model._meta.model_name}/"
    listed = staff.get(base, {"q": str(row.pk) if row else ""})
    assert listed.status_code == 200
    assert b"tok_success" not in listed.content
    assert staff.get(f"{base}add/").status_code == 403
    if row:
        shown = staff.get(f"{base}{row.pk}/change/")
        assert shown.status_code == 200
        assert b"tok_success" not in shown.content
        assert staff.post(f"{base}{row.pk}/change/", {}).status_code == 403
        assert staff.post(f"{base}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert not admin.site.get_model_admin(model).has_change_permission(listed.wsgi_request)


def test_a_payment_shows_its_money_and_operations_and_leads_to_its_saga(
    provider: FakeProvider, staff: Client
) -> None:
    Checkout(token="tok_success").charge()
    payment = Payment.objects.using(DATABASE).get()
    operation = PaymentOperation.objects.using(DATABASE).get(kind=Kind.CHARGE)
    amount = f"{payment.amount / 100:.2f} EUR"
    shown = staff.get(f"/admin/payments/payment/{payment.pk}/change/").text
    assert shown.count(amount) == 4, "agreed, captured, and of the two operations"
    assert "0.00 EUR" in shown, "refunded"
    assert operation.idempotency_key in shown
    assert f'href="/admin/sagas/saga/{payment.saga_id}/change/"' in shown


@pytest.mark.parametrize("column", ["id", "saga_id", "order_id", "provider_ref"])
def test_a_payment_is_found_by_its_ids_and_by_that_of_the_provider(
    provider: FakeProvider, staff: Client, column: str
) -> None:
    Checkout(token="tok_success").charge()
    payment = Payment.objects.using(DATABASE).get()
    listed = staff.get("/admin/payments/payment/", {"q": str(getattr(payment, column))}).text
    assert f"/admin/payments/payment/{payment.pk}/change/" in listed
    other = staff.get("/admin/payments/payment/", {"q": f"{getattr(payment, column)}0"}).text
    assert f"/admin/payments/payment/{payment.pk}/change/" not in other


def test_a_payment_shows_refunds_and_disputes_of_the_provider(
    provider: FakeProvider, staff: Client
) -> None:
    checkout = Checkout(token="tok_success")
    checkout.charge()
    provider.provoke(f"payment_intents/{checkout.intent}/dispute")
    aftermath.learn(checkout.payment)
    shown = staff.get(f"/admin/payments/payment/{checkout.payment.pk}/change/").text
    assert "Dispute" in shown
    assert "fraudulent" in shown


def test_webhooks_are_listed_and_never_changed(provider: FakeProvider, staff: Client) -> None:
    event = ProviderEvent.objects.using(DATABASE).create(
        provider="fake",
        event_id="evt_1",
        kind="refund.created",
        intent_ref="pi_1",
        told_at=datetime.now(tz=UTC),
    )
    base = "/admin/payments/providerevent/"
    assert "evt_1" in staff.get(base, {"q": "pi_1"}).text
    assert "evt_1" not in staff.get(base, {"q": "pi_2"}).text
    assert staff.get(f"{base}{event.pk}/change/").status_code == 200
    assert staff.post(f"{base}{event.pk}/delete/", {"post": "yes"}).status_code == 403


def test_operations_are_found_by_the_saga_of_their_payment(
    provider: FakeProvider, staff: Client
) -> None:
    Checkout(token="tok_success").charge()
    Checkout(token="tok_success").charge()
    charges = PaymentOperation.objects.using(DATABASE).filter(kind=Kind.CHARGE)
    first, second = charges.select_related("payment")
    listed = staff.get("/admin/payments/paymentoperation/", {"q": str(first.payment.saga_id)}).text
    assert first.idempotency_key in listed
    assert second.idempotency_key not in listed
