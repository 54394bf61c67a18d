"""Staff look at everything, edit descriptions and correct the stock; nothing else."""

from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from inventory.models import DATABASE, Product, Reservation, ReservationLine, Stock
from inventory.tests.shelf import put, reserve

pytestmark = pytest.mark.django_db(databases=["default", "inventory"])

#: Really commits, so that the watch of all commits (conftest.py) sees the admin's own.
commits = pytest.mark.django_db(databases=["default", "inventory"], transaction=True)

MODELS = ["product", "stock", "reservation", "reservationline", "receipt"]


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("boss", password=None))
    return client


def _correct(staff: Client, sku: str, change: int) -> str:
    page = reverse("admin:inventory_stock_change", args=[sku])
    return staff.post(page, {"change_by": change, "low_at": 5}, follow=True).content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_every_list_shows_and_searches(staff: Client, model: str) -> None:
    put("MUG", 5)
    reserve(MUG=1)
    page = reverse(f"admin:inventory_{model}_changelist")
    assert staff.get(page).status_code == 200
    assert staff.get(page, {"q": str(uuid4())}).status_code == 200
    assert staff.get(page, {"q": "MUG"}).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_added_or_deleted(staff: Client, model: str) -> None:
    put("MUG", 5)
    assert staff.get(reverse(f"admin:inventory_{model}_add")).status_code == 403
    page = reverse(f"admin:inventory_{model}_changelist")
    assert "delete_selected" not in staff.get(page).content.decode()
    sku = "MUG"
    if model in ("product", "stock"):
        page = reverse(f"admin:inventory_{model}_delete", args=[sku])
        assert staff.post(page, {"post": "yes"}).status_code == 403


@commits
def test_a_product_is_described_anew_and_keeps_its_sku(staff: Client) -> None:
    put("MUG", 5)
    page = reverse("admin:inventory_product_change", args=["MUG"])
    form = {"sku": "OTHER", "name": "Cup", "description": "New.", "price": 99, "currency": "JPY"}
    assert staff.post(page, form).status_code == 302
    product = Product.objects.using(DATABASE).get()
    assert (product.sku, product.name, product.price) == ("MUG", "Cup", 99)
    assert (product.currency, product.active) == ("EUR", False)


def test_a_negative_price_is_a_field_error(staff: Client) -> None:
    put("MUG", 5)
    page = reverse("admin:inventory_product_change", args=["MUG"])
    form = {"name": "Cup", "price": -1, "active": "on"}
    assert "greater than or equal to 0" in staff.post(page, form).content.decode()


@commits
def test_stock_is_corrected_by_a_difference(staff: Client) -> None:
    put("MUG", 5)
    reserve(MUG=2)
    _correct(staff, "MUG", 7)
    _correct(staff, "MUG", -10)
    stock = Stock.objects.using(DATABASE).get()
    assert (stock.on_hand, stock.reserved) == (2, 2)


def test_held_stock_cannot_be_corrected_away(staff: Client) -> None:
    put("MUG", 5)
    reserve(MUG=2)
    page = _correct(staff, "MUG", -4)
    assert "2 of 5 units are held for orders; at most 3 can be taken away." in page
    assert Stock.objects.using(DATABASE).get().on_hand == 5


def test_a_reservation_can_only_be_looked_at(staff: Client) -> None:
    put("MUG", 5)
    reserve(MUG=2)
    for row in (
        Reservation.objects.using(DATABASE).get(),
        ReservationLine.objects.using(DATABASE).get(),
    ):
        page = reverse(f"admin:inventory_{row._meta.model_name}_change", args=[row.pk])
        assert staff.get(page).status_code == 200
        assert staff.post(page, {"quantity": 1}).status_code == 403


def test_staff_without_the_permission_cannot_correct_stock() -> None:
    put("MUG", 5)
    clerk = get_user_model().objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_stock"))
    client = Client()
    client.force_login(clerk)
    page = reverse("admin:inventory_stock_change", args=["MUG"])
    assert client.get(page).status_code == 200
    assert client.post(page, {"change_by": 1, "low_at": 5}).status_code == 403


def test_a_reservation_leads_to_its_saga_and_shows_what_it_holds(staff: Client) -> None:
    put("MUG", 5)
    reserve(MUG=2)
    row = Reservation.objects.using(DATABASE).get()
    saga = reverse("admin:sagas_saga_change", args=[row.saga_id])
    shown = staff.get(reverse("admin:inventory_reservation_change", args=[row.pk])).text
    assert f'href="{saga}"' in shown
    assert "(MUG)" in shown
    found = staff.get(reverse("admin:inventory_reservation_changelist"), {"q": str(row.saga_id)})
    assert f'href="{saga}"' in found.text


def test_a_product_is_found_by_its_sku_and_shows_its_price(staff: Client) -> None:
    put("MUG", 5)
    put("CUP", 5)
    page = staff.get(reverse("admin:inventory_product_changelist"), {"q": "mug"}).text
    price = Product.objects.using(DATABASE).get(pk="MUG").price
    assert f"{price / 100:.2f} EUR" in page
    assert "/admin/inventory/product/MUG/change/" in page
    assert "/admin/inventory/product/CUP/change/" not in page
