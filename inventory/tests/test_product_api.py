"""GET /products: the catalogue, for anyone, in a fixed number of queries."""

from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from inventory.models import DATABASE, Product
from inventory.tests.shelf import put, reserve

pytestmark = pytest.mark.django_db(databases=["inventory"])

LIST = "/api/v1/products"


def _get(path: str, **query: str) -> Any:
    return APIClient().get(path, query)


def _skus(**query: str) -> list[str]:
    answer = _get(LIST, **query)
    assert answer.status_code == 200
    return [product["sku"] for product in answer.json()["results"]]


def test_a_product_shows_its_price_and_what_can_be_bought_now() -> None:
    put("MUG", 5, price=1250)
    reserve(MUG=2)
    answer = _get(f"{LIST}/MUG")
    assert answer.status_code == 200
    assert answer.json() == {
        "sku": "MUG",
        "name": "The MUG",
        "description": "What is called MUG.",
        "price": {"amount": 1250, "currency": "EUR"},
        "available": 3,
        "active": True,
    }


@pytest.mark.parametrize("sku", ["NOWHERE", "OLD", "a%00b", "%F0%9F%92%A9", "x" * 300])
def test_what_is_not_for_sale_is_not_found(sku: str) -> None:
    put("OLD", 5)
    Product.objects.using(DATABASE).update(active=False)
    answer = _get(f"{LIST}/{sku}")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


def test_the_list_has_the_products_for_sale_by_sku() -> None:
    for sku in ("C", "A", "B"):
        put(sku, 1)
    Product.objects.using(DATABASE).filter(pk="B").update(active=False)
    assert _skus() == ["A", "C"]


def test_the_list_is_filtered() -> None:
    put("MUG-BLUE", 5)
    put("MUG-RED", 0)
    put("TEAPOT", 1, currency="JPY")
    reserve(TEAPOT=1)
    assert _skus(sku="MUG-RED") == ["MUG-RED"]
    assert _skus(search="mug") == ["MUG-BLUE", "MUG-RED"]
    assert _skus(search="called tea") == ["TEAPOT"]
    assert _skus(available="true") == ["MUG-BLUE"]
    assert _skus(available="false") == ["MUG-RED", "TEAPOT"]
    assert _skus(currency="JPY") == ["TEAPOT"]
    assert _skus(search="mug", available="true", currency="EUR") == ["MUG-BLUE"]
    assert _skus(search="%") == []


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("available", "maybe"),
        ("currency", "euro"),
        ("currency", "EU"),
        ("search", "x" * 101),
        ("search", "a\x00b"),
        ("sku", "x" * 65),
        ("sku", "\x00"),
    ],
)
def test_a_filter_that_makes_no_sense_is_named(parameter: str, value: str) -> None:
    answer = _get(LIST, **{parameter: value})
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert parameter in answer.content.decode()


def test_pages_are_walked_both_ways_without_gaps() -> None:
    skus = [f"P{n:03}" for n in range(120)]
    for sku in skus:
        put(sku, 1)
    pages, url = [], f"{LIST}?available=true"
    while url:
        page = APIClient().get(url).json()
        pages.append([product["sku"] for product in page["results"]])
        last, url = page, page["next"]
    assert [len(page) for page in pages] == [50, 50, 20]
    assert [sku for page in pages for sku in page] == skus
    back = APIClient().get(last["previous"]).json()
    assert [product["sku"] for product in back["results"]] == pages[1]


@pytest.mark.parametrize("position", ["\x00", "a b", "'", "x" * 100])
def test_a_made_up_position_is_not_found(position: str) -> None:
    cursor = b64encode(urlencode({"p": position}).encode()).decode()
    assert _get(LIST, cursor=cursor).status_code == 404


@pytest.mark.parametrize("cursor", ["", "x", "\x00", "é", "bz0tMQ=="])
def test_a_cursor_that_is_none_never_breaks_the_list(cursor: str) -> None:
    assert _get(LIST, cursor=cursor).status_code in (200, 404)


def test_the_list_takes_one_query_however_long(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for n in range(30):
        put(f"P{n}", 1)
    with django_assert_num_queries(1, using=DATABASE):
        assert len(_skus()) == 30
    with django_assert_num_queries(1, using=DATABASE):
        _get(f"{LIST}/P1")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_the_catalogue_is_read_only(method: str) -> None:
    put("MUG", 1)
    assert getattr(APIClient(), method)(f"{LIST}/MUG", {}, format="json").status_code == 405
