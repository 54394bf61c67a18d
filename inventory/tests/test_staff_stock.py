"""Staff put stock in and correct it while sales go on."""

import pytest

from inventory import services
from inventory.models import DATABASE, Stock
from inventory.services import StockHeld, UnknownProducts
from inventory.tests.crowd import all_at_once
from inventory.tests.shelf import put, reserve, reserved


def _on_hand(sku: str) -> int:
    return Stock.objects.using(DATABASE).get(pk=sku).on_hand


@pytest.mark.django_db(databases=["inventory"])
def test_a_delivery_adds_to_what_is_there() -> None:
    put("A", 5)
    services.receive_stock(sku="A", quantity=7)
    assert _on_hand("A") == 12


@pytest.mark.django_db(databases=["inventory"])
def test_a_delivery_of_nothing_is_a_mistake_of_the_caller() -> None:
    put("A", 5)
    with pytest.raises(ValueError, match="one unit or more"):
        services.receive_stock(sku="A", quantity=0)


@pytest.mark.django_db(databases=["inventory"])
def test_a_correction_never_takes_what_is_held() -> None:
    put("A", 5)
    reserve(A=3)
    services.adjust_stock(sku="A", change=-2)
    with pytest.raises(StockHeld):
        services.adjust_stock(sku="A", change=-1)
    assert (_on_hand("A"), reserved("A")) == (3, 3)


@pytest.mark.django_db(databases=["inventory"])
def test_stock_of_an_unknown_product_cannot_be_changed() -> None:
    with pytest.raises(UnknownProducts):
        services.receive_stock(sku="NOWHERE", quantity=1)
    with pytest.raises(UnknownProducts):
        services.reset_stock(sku="NOWHERE", available=1)


@pytest.mark.django_db(databases=["inventory"], transaction=True)
def test_a_correction_and_sales_at_the_same_instant_never_oversell() -> None:
    """Guard: the correction is a conditional UPDATE of the same row."""
    put("A", 10)

    def sell() -> bool:
        return bool(reserve(A=1))

    def correct() -> bool:
        services.adjust_stock(sku="A", change=-1)
        return True

    outcomes = all_at_once([*[sell] * 10, *[correct] * 10])
    assert outcomes.count(True) == 10
    assert (_on_hand("A"), reserved("A")) == (reserved("A"), outcomes[:10].count(True))
