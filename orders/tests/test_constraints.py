"""What the database refuses even when the code does not look."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, connections, transaction

from orders import services
from orders.models import DATABASE, OrderEvent
from orders.tests.posting import order, post

pytestmark = pytest.mark.django_db(databases=["orders"])


def _refused(sql: str, *, by: str) -> None:
    with (
        pytest.raises(IntegrityError, match=by),
        transaction.atomic(using=DATABASE),
        connections[DATABASE].cursor() as cursor,
    ):
        cursor.execute(sql)


def send_back() -> None:
    """Make a confirmed order, one mug of which is returned."""
    saga_id, _ = order()
    services.confirm_order(saga_id=saga_id)
    services.open_return(
        saga_id=uuid4(),
        checkout_id=saga_id,
        amount=1250,
        currency="EUR",
        reason="damaged",
        lines=[{"sku": "MUG", "quantity": 1}],
    )


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("total = -1", "orders_total_not_negative"),
        ("currency = 'eur'", "orders_currency_is_iso"),
        ("status = 'CONFIRMED'", "orders_status_has_its_time"),
        ("status = 'CANCELLED'", "orders_status_has_its_time"),
        ("status = 'SHIPPED', confirmed_at = now()", "orders_status_has_its_time"),
        ("confirmed_at = now()", "orders_status_has_its_time"),
        ("cancelled_at = now()", "orders_status_has_its_time"),
        ("shipped_at = now()", "orders_shipped_is_not_held_back"),
        (
            "status = 'CONFIRMED', confirmed_at = now(), shipped_at = now(), held_by = saga_id",
            "orders_shipped_is_not_held_back",
        ),
    ],
)
def test_an_order_is_whole(change: str, constraint: str) -> None:
    order()
    _refused(f"UPDATE orders_order SET {change}", by=constraint)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("line_total = line_total + 1", "orders_line_total_adds_up"),
        ("quantity = quantity + 1", "orders_line_total_adds_up"),
        ("quantity = 0, line_total = 0", "orders_line_buys_something"),
        ("unit_price = -1, line_total = -quantity", "orders_unit_price_not_negative"),
        ("returned = quantity + 1", "orders_returned_le_bought"),
        ("returned = -1", "orders_returned_le_bought"),
    ],
)
def test_a_line_adds_up(change: str, constraint: str) -> None:
    order()
    _refused(f"UPDATE orders_orderline SET {change}", by=constraint)


def test_a_number_is_given_once() -> None:
    order()
    order()
    _refused("UPDATE orders_order SET number = 'MG-00000000'", by="orders_number_once")


def test_a_saga_has_one_order() -> None:
    order()
    order()
    _refused(
        "UPDATE orders_order SET saga_id = '00000000-0000-0000-0000-000000000000'",
        by="orders_one_order_a_saga",
    )


def test_an_order_names_a_sku_once() -> None:
    order()
    _refused("UPDATE orders_orderline SET sku = 'MUG'", by="orders_one_line_a_sku")


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("amount = 0", "orders_return_positive"),
        ("closed_at = now()", "orders_return_closed_means_closed"),
        ("status = 'REFUNDED'", "orders_return_closed_means_closed"),
    ],
)
def test_a_return_is_whole(change: str, constraint: str) -> None:
    send_back()
    _refused(f"UPDATE orders_return SET {change}", by=constraint)


def test_a_saga_has_one_return() -> None:
    send_back()
    send_back()
    _refused(
        "UPDATE orders_return SET saga_id = '00000000-0000-0000-0000-000000000000'",
        by="orders_one_return_a_saga",
    )


def test_a_return_names_a_line_once() -> None:
    send_back()
    _refused(
        "INSERT INTO orders_returnline (of_id, line_id, quantity) "
        "SELECT of_id, line_id, quantity FROM orders_returnline",
        by="orders_line_once_a_return",
    )


def test_a_line_of_a_return_has_units() -> None:
    send_back()
    _refused("UPDATE orders_returnline SET quantity = 0", by="orders_return_line_has_units")


def test_a_draft_has_no_negative_total() -> None:
    post()
    _refused("UPDATE orders_draft SET total = -1", by="orders_draft_total_not_negative")


@pytest.mark.parametrize(
    "change", ["UPDATE orders_orderevent SET reason = 'x'", "DELETE FROM orders_orderevent"]
)
def test_what_happened_is_never_changed_or_deleted(change: str) -> None:
    order()
    _refused(change, by="orders_orderevent is append-only")
    assert OrderEvent.objects.using(DATABASE).count() == 1


def test_an_order_is_not_deleted_from_under_its_events() -> None:
    order()
    _refused("DELETE FROM orders_order; SET CONSTRAINTS ALL IMMEDIATE", by="foreign key")
