"""Staff look at payments; nobody changes them, and nobody sees a token."""

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client

from payments.models import DATABASE, Payment, PaymentMethod, PaymentOperation, Receipt
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
    row = model._base_manager.using(DATABASE).get() if model is not Receipt else None
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
    operation = PaymentOperation.objects.using(DATABASE).get()
    amount = f"{payment.amount / 100:.2f} EUR"
    shown = staff.get(f"/admin/payments/payment/{payment.pk}/change/").text
    assert shown.count(amount) == 3, "agreed, captured, and moved by the one operation"
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


def test_operations_are_found_by_the_saga_of_their_payment(
    provider: FakeProvider, staff: Client
) -> None:
    Checkout(token="tok_success").charge()
    Checkout(token="tok_success").charge()
    first, second = PaymentOperation.objects.using(DATABASE).select_related("payment")
    listed = staff.get("/admin/payments/paymentoperation/", {"q": str(first.payment.saga_id)}).text
    assert first.idempotency_key in listed
    assert second.idempotency_key not in listed
