"""What the database refuses even when the code does not look."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, connections, transaction

from inventory.models import DATABASE, Reservation
from inventory.tests.shelf import put, reserve

pytestmark = pytest.mark.django_db(databases=["inventory"])


def _refused(sql: str, *params: str, by: str) -> None:
    with (
        pytest.raises(IntegrityError, match=by),
        transaction.atomic(using=DATABASE),
        connections[DATABASE].cursor() as cursor,
    ):
        cursor.execute(sql, params)


@pytest.mark.parametrize("change", ["reserved = 6", "reserved = -1", "on_hand = 1", "on_hand = -1"])
def test_stock_is_never_oversold(change: str) -> None:
    put("A", 5)
    reserve(A=2)
    _refused(f"UPDATE inventory_stock SET {change}", by="inventory_no_oversell")


def test_a_product_runs_low_at_no_negative_number() -> None:
    put("A", 5)
    _refused("UPDATE inventory_stock SET low_at = -1", by="inventory_low_at_positive")


@pytest.mark.parametrize("sku", ["", "A B", "A/B", "-A", "A\n", "Ä"])
def test_a_sku_is_plain(sku: str) -> None:
    put("A", 5)
    insert = (
        "INSERT INTO inventory_product (sku, name, description, price, currency, active) "
        "VALUES (%s, 'x', '', 1, 'EUR', true)"
    )
    _refused(insert, sku, by="inventory_sku_is_plain")


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("price = -1", "inventory_price_not_negative"),
        ("currency = 'eur'", "inventory_currency_is_iso"),
    ],
)
def test_a_price_is_an_amount_of_a_currency(change: str, constraint: str) -> None:
    put("A", 5)
    _refused(f"UPDATE inventory_product SET {change}", by=constraint)


def test_a_saga_has_one_reservation() -> None:
    put("A", 5)
    saga_id = uuid4()
    reserve(saga_id, A=1)
    with (
        pytest.raises(IntegrityError, match="inventory_one_reservation_a_saga"),
        transaction.atomic(using=DATABASE),
    ):
        Reservation.objects.using(DATABASE).create(saga_id=saga_id, order_id=uuid4())


@pytest.mark.parametrize(
    "change", ["status = 'RELEASED'", "released_at = now()", "status = 'OTHER'"]
)
def test_a_reservation_is_released_at_a_time(change: str) -> None:
    put("A", 5)
    reserve(A=1)
    _refused(f"UPDATE inventory_reservation SET {change}", by="inventory_released_has_its_time")


def test_a_reservation_names_a_sku_once() -> None:
    put("A", 5)
    reserve(A=1)
    _refused(
        "INSERT INTO inventory_reservationline (reservation_id, sku, quantity) "
        "SELECT reservation_id, sku, quantity FROM inventory_reservationline",
        by="inventory_one_line_a_sku",
    )


def test_a_line_holds_at_least_one_unit() -> None:
    put("A", 5)
    reserve(A=1)
    _refused(
        "UPDATE inventory_reservationline SET quantity = 0", by="inventory_line_holds_something"
    )
