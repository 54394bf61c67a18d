"""Staff look at orders and change nothing."""

import pytest
from django.contrib.auth import get_user_model
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from orders import services
from orders.models import DATABASE, Draft, Order, OrderEvent, OrderLine, Receipt
from orders.tests.posting import order

pytestmark = pytest.mark.django_db(databases=["default", "orders"])

MODELS = [Draft, Order, OrderLine, OrderEvent, Receipt]


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("boss", password=None))
    return client


def _page(model: type[Model], page: str, *args: object) -> str:
    return reverse(f"admin:orders_{model._meta.model_name}_{page}", args=args)


@pytest.mark.parametrize("model", MODELS)
def test_every_list_shows_and_searches(staff: Client, model: type[Model]) -> None:
    saga_id, _ = order()
    assert staff.get(_page(model, "changelist")).status_code == 200
    assert staff.get(_page(model, "changelist"), {"q": str(saga_id)}).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_added_changed_or_deleted(staff: Client, model: type[Model]) -> None:
    order()
    row = model._default_manager.using(DATABASE).first()
    assert row is not None
    assert staff.get(_page(model, "change", row.pk)).status_code == 200
    assert staff.get(_page(model, "add")).status_code == 403
    assert staff.post(_page(model, "change", row.pk), {"email": "x@y.z"}).status_code == 403
    assert staff.post(_page(model, "delete", row.pk), {"post": "yes"}).status_code == 403


def test_an_order_is_found_by_its_number_and_by_the_mail_address(staff: Client) -> None:
    _, ours = order(email="ada@example.com")
    _, other = order(email="eve@example.com")
    for words in (ours["number"], "ada@example.com", " ADA@Example.com "):
        page = staff.get(_page(Order, "changelist"), {"q": words}).content.decode()
        assert ours["number"] in page
        assert other["number"] not in page


def test_an_order_shows_its_lines_and_what_happened(staff: Client) -> None:
    saga_id, _ = order()
    services.cancel_order(saga_id=saga_id, reason="out-of-stock")
    made = services.order_of(saga_id=saga_id)
    page = staff.get(_page(Order, "change", made.pk)).content.decode()
    assert "Blue mug" in page
    assert "out-of-stock" in page


def test_an_order_shows_amounts_as_people_write_them_and_leads_to_its_saga(staff: Client) -> None:
    saga_id, _ = order()
    made = services.order_of(saga_id=saga_id)
    saga = reverse("admin:sagas_saga_change", args=[saga_id])
    for page in (_page(Order, "changelist"), _page(Order, "change", made.pk)):
        shown = staff.get(page).content.decode()
        assert f"{made.total / 100:.2f} EUR" in shown
        assert f'href="{saga}"' in shown
        assert f'datetime="{made.created_at:%Y-%m-%dT%H:%M:%S}+00:00"' in shown
