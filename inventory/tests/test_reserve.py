"""Reserving holds every line or none, and once."""

from uuid import uuid4

import pytest

from inventory import services
from inventory.models import DATABASE, Receipt, Reservation, Status
from inventory.services import CartLine, Holding, OutOfStock, Shortage
from inventory.tests.shelf import cart, put, reserve, reserved

pytestmark = pytest.mark.django_db(databases=["inventory"])


def test_every_line_is_held() -> None:
    put("A", 5)
    put("B", 5)
    saga_id = uuid4()
    result = reserve(saga_id, B=2, A=5)
    assert services.holdings(saga_id=saga_id) == [
        Holding("A", 5, Status.HELD),
        Holding("B", 2, Status.HELD),
    ]
    assert (reserved("A"), reserved("B")) == (5, 2)
    assert result == {"reservation_id": str(Reservation.objects.using(DATABASE).get().pk)}


def test_lines_of_one_sku_are_merged() -> None:
    put("A", 5)
    saga_id = uuid4()
    lines = [CartLine(sku="A", quantity=2), CartLine(sku="A", quantity=3)]
    services.reserve_stock(saga_id=saga_id, order_id=uuid4(), lines=lines)
    assert services.holdings(saga_id=saga_id) == [Holding("A", 5, Status.HELD)]


def test_merged_lines_are_short_when_only_their_sum_is_too_much() -> None:
    put("A", 4)
    lines = [CartLine(sku="A", quantity=2), CartLine(sku="A", quantity=3)]
    with pytest.raises(OutOfStock) as refusal:
        services.reserve_stock(saga_id=uuid4(), order_id=uuid4(), lines=lines)
    assert refusal.value.shortages == [Shortage(sku="A", wanted=5, available=4)]


def test_one_short_line_holds_nothing_at_all() -> None:
    put("A", 5)
    put("B", 1)
    put("C", 0)
    saga_id = uuid4()
    with pytest.raises(OutOfStock) as refusal:
        reserve(saga_id, A=1, B=2, C=1)
    assert refusal.value.code == "out-of-stock"
    assert refusal.value.shortages == [
        Shortage(sku="B", wanted=2, available=1),
        Shortage(sku="C", wanted=1, available=0),
    ]
    assert (reserved("A"), reserved("B"), reserved("C")) == (0, 0, 0)
    assert services.holdings(saga_id=saga_id) == []
    assert not Receipt.objects.using(DATABASE).filter(saga_id=saga_id).exists()


def test_a_refused_reservation_may_be_tried_again() -> None:
    put("A", 1)
    saga_id = uuid4()
    with pytest.raises(OutOfStock):
        reserve(saga_id, A=2)
    services.receive_stock(sku="A", quantity=1)
    assert reserve(saga_id, A=2)["reservation_id"]


def test_a_product_that_nobody_knows_is_out_of_stock() -> None:
    with pytest.raises(OutOfStock) as refusal:
        reserve(NOWHERE=1)
    assert refusal.value.shortages == [Shortage(sku="NOWHERE", wanted=1, available=0)]


@pytest.mark.parametrize("quantity", [2**31 - 1, 2**31, 2**63, 10**30])
def test_an_absurd_quantity_is_out_of_stock(quantity: int) -> None:
    put("A", 3)
    reserve(A=1)
    with pytest.raises(OutOfStock) as refusal:
        reserve(A=quantity)
    assert refusal.value.shortages == [Shortage(sku="A", wanted=quantity, available=2)]


def test_a_repeated_reservation_returns_the_first_result() -> None:
    put("A", 5)
    saga_id = uuid4()
    first = reserve(saga_id, A=2)
    assert reserve(saga_id, A=2) == first
    assert reserved("A") == 2


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_quantity_below_one_is_a_mistake_of_the_caller(quantity: int) -> None:
    put("A", 5)
    with pytest.raises(ValueError, match="one unit or more"):
        services.reserve_stock(
            saga_id=uuid4(), order_id=uuid4(), lines=[*cart(A=3), *cart(A=quantity)]
        )


def test_an_empty_cart_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="one line or more"):
        services.reserve_stock(saga_id=uuid4(), order_id=uuid4(), lines=[])
