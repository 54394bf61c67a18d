"""A quote is the shop's own price, never the shopper's."""

import pytest
from pytest_django import DjangoAssertNumQueries

from inventory import services
from inventory.models import DATABASE, Product
from inventory.services import CartLine, MixedCurrencies, QuoteLine, Shortage, UnknownProducts
from inventory.tests.shelf import cart, put, reserve

pytestmark = pytest.mark.django_db(databases=["inventory"])


def test_a_quote_prices_every_line_and_the_whole() -> None:
    put("A", 5, price=250)
    put("B", 9, price=1000)
    reserve(A=2)
    quote = services.quote(lines=cart(B=2, A=3))
    assert quote.lines == [
        QuoteLine(sku="B", name="The B", quantity=2, unit_price=1000, available=9),
        QuoteLine(sku="A", name="The A", quantity=3, unit_price=250, available=3),
    ]
    assert [line.line_total for line in quote.lines] == [2000, 750]
    assert (quote.total, quote.currency) == (2750, "EUR")
    assert services.shortages(quote) == []


def test_lines_of_one_sku_are_quoted_as_one() -> None:
    put("A", 5)
    put("B", 5)
    quote = services.quote(lines=[*cart(A=1, B=1), CartLine(sku="A", quantity=2)])
    assert [(line.sku, line.quantity) for line in quote.lines] == [("A", 3), ("B", 1)]


def test_a_quote_tells_which_lines_are_short() -> None:
    put("A", 2)
    put("B", 2)
    quote = services.quote(lines=cart(A=2, B=3))
    assert services.shortages(quote) == [Shortage(sku="B", wanted=3, available=2)]


def test_products_that_are_not_for_sale_are_unknown() -> None:
    put("A", 5)
    put("OLD", 5)
    Product.objects.using(DATABASE).filter(pk="OLD").update(active=False)
    odd = "\x00 '; --"
    lines = [*cart(A=1, OLD=1, NOWHERE=1), CartLine(sku=odd, quantity=1)]
    with pytest.raises(UnknownProducts) as refusal:
        services.quote(lines=lines)
    assert refusal.value.skus == ["OLD", "NOWHERE", odd]
    assert odd not in str(refusal.value)


def test_one_cart_has_one_currency() -> None:
    put("A", 5, currency="EUR")
    put("B", 5, currency="JPY")
    with pytest.raises(MixedCurrencies) as refusal:
        services.quote(lines=cart(A=1, B=1))
    assert refusal.value.currencies == ["EUR", "JPY"]


def test_a_quote_takes_one_query_however_long_the_cart(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    skus = [f"P{n}" for n in range(20)]
    for sku in skus:
        put(sku, 5)
    with django_assert_num_queries(1, using=DATABASE):
        services.quote(lines=[CartLine(sku=sku, quantity=1) for sku in skus])
