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
