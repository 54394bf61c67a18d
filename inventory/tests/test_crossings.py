"""A product that runs low, or comes back, is told of once a crossing."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from inventory import services
from inventory.models import DATABASE, OutboxEvent
from inventory.services import OutOfStock, StockHeld
from inventory.tests.crowd import all_at_once
from inventory.tests.shelf import put, reserve, reserved

pytestmark = pytest.mark.django_db(databases=["inventory"], transaction=True)


def told(event_type: str) -> list[dict[str, Any]]:
    rows = OutboxEvent.objects.using(DATABASE).filter(type=event_type).order_by("sequence")
    return [row.payload for row in rows]


def test_running_low_is_told_when_the_line_is_crossed_and_not_again_below_it() -> None:
    put("BOWL", 8)
    reserve(BOWL=2)
    assert told("stock_low") == []
    reserve(BOWL=2)
    reserve(BOWL=1)
    assert told("stock_low") == [{"sku": "BOWL", "available": 4, "low_at": 5}]


def test_a_product_that_was_filled_up_may_run_low_again() -> None:
    put("BOWL", 6)
    reserve(BOWL=1)
    services.receive_stock(sku="BOWL", quantity=10)
    reserve(BOWL=12)
    assert [each["available"] for each in told("stock_low")] == [5, 3]


def test_each_product_has_a_line_of_its_own() -> None:
    put("BOWL", 20)
    put("CUP", 20)
    services.set_low_at(sku="BOWL", low_at=15)
    reserve(BOWL=5, CUP=5)
    assert [each["sku"] for each in told("stock_low")] == ["BOWL"]


def test_fifty_buyers_at_once_cross_the_line_once() -> None:
    """Guard: what is free is read by the UPDATE itself, which holds the row until the commit."""
    put("BOWL", 60)
    services.set_low_at(sku="BOWL", low_at=30)
    outcomes = all_at_once([lambda: reserve(BOWL=1)] * 50)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert told("stock_low") == [{"sku": "BOWL", "available": 30, "low_at": 30}]


def test_buyers_who_give_back_and_buyers_who_take_cross_in_turn() -> None:
    """Guard: the same. Each crossing down has a crossing up before the next one."""
    put("BOWL", 1)
    first = uuid4()
    reserve(first, BOWL=1)
    holders = [first]

    def give_back_and_take() -> None:
        saga_id = uuid4()
        services.release_stock(saga_id=holders[0])
        reserve(saga_id, BOWL=1)

    for _ in range(5):
        outcomes = all_at_once([give_back_and_take] * 4)
        assert all(isinstance(out, OutOfStock) for out in outcomes if isinstance(out, Exception))
    rows = OutboxEvent.objects.using(DATABASE).filter(type="back_in_stock").count()
    assert rows == 1, "the first holder gave back once; the others found the receipt"


def test_it_is_back_in_stock_when_the_first_unit_is_free_again() -> None:
    put("BOWL", 1)
    saga_id = uuid4()
    reserve(saga_id, BOWL=1)
    services.release_stock(saga_id=saga_id)
    services.receive_stock(sku="BOWL", quantity=3)
    assert told("back_in_stock") == [{"sku": "BOWL", "available": 1}]


def test_a_delivery_and_a_stocktake_cross_the_lines_too() -> None:
    put("BOWL", 0)
    services.receive_stock(sku="BOWL", quantity=9)
    services.adjust_stock(sku="BOWL", change=-5)
    services.reset_stock(sku="BOWL", available=0)
    services.reset_stock(sku="BOWL", available=2)
    assert [each["available"] for each in told("back_in_stock")] == [9, 2]
    assert [each["available"] for each in told("stock_low")] == [4]


def test_what_is_refused_tells_nothing() -> None:
    put("BOWL", 6)
    with pytest.raises(OutOfStock):
        reserve(BOWL=7)
    reserve(BOWL=6)
    with pytest.raises(StockHeld):
        services.adjust_stock(sku="BOWL", change=-1)
    assert reserved("BOWL") == 6
    assert len(told("stock_low")) == 1


def test_reserving_and_releasing_are_told_with_their_lines() -> None:
    put("BOWL", 9)
    put("CUP", 9)
    saga_id = uuid4()
    made = reserve(saga_id, BOWL=2, CUP=1)
    services.release_stock(saga_id=saga_id)
    [held], [freed] = told("stock_reserved"), told("stock_released")
    assert held == freed
    assert held["reservation_id"] == made["reservation_id"]
    assert held["lines"] == [{"sku": "BOWL", "quantity": 2}, {"sku": "CUP", "quantity": 1}]


def test_a_reservation_costs_one_statement_more_however_much_it_tells() -> None:
    put("BOWL", 6)
    put("CUP", 6)
    with CaptureQueriesContext(connections[DATABASE]) as seen:
        reserve(BOWL=2, CUP=2)
    about_stock = [q["sql"] for q in seen if "inventory_stock" in q["sql"]]
    about_events = [q["sql"] for q in seen if "outbox" in q["sql"]]
    assert len(about_stock) == 2, "one UPDATE a product, as before"
    assert len(about_events) == 1
    assert OutboxEvent.objects.using(DATABASE).count() == 3
