"""POST /products/{sku}/back-in-stock: one mail to whoever waits for a product."""

from typing import Any

import pytest
from django.test import Client

from inventory import services as inventory
from notifications.models import DATABASE, Notice
from sagas.checkout.tests.shopping import stock_the_shelf

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

SKU = "CUP"


def want(client: Client, sku: str = SKU, **body: Any) -> Any:
    return client.post(
        f"/api/v1/products/{sku}/back-in-stock",
        {"email": "ada@example.org", **body},
        content_type="application/json",
    )


@pytest.fixture
def sold_out(transactional_db: None) -> None:
    stock_the_shelf()


def waiting() -> list[str]:
    return list(Notice.objects.using(DATABASE).values_list("product_name", flat=True))


@pytest.mark.usefixtures("sold_out")
def test_an_address_is_kept_and_the_answer_does_not_tell_who_waited_before(client: Client) -> None:
    first, again = want(client), want(client, email="ADA@example.org")
    assert (first.status_code, first.json()) == (202, {"sku": SKU, "status": "waiting"})
    assert (again.status_code, again.json()) == (202, first.json())
    assert len(waiting()) == 1


@pytest.mark.usefixtures("sold_out")
@pytest.mark.parametrize("email", ["", "ada", "ada@example.org\nBcc: all@example.org", None])
def test_what_is_no_address_is_refused_by_the_fields_name(client: Client, email: Any) -> None:
    answer = want(client, email=email)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "#/email"
    assert waiting() == []


@pytest.mark.usefixtures("sold_out")
def test_a_product_that_is_not_for_sale_is_not_found(client: Client) -> None:
    assert want(client, sku="NO-SUCH").status_code == 404
    assert want(client, sku="%0A").status_code == 404


@pytest.mark.usefixtures("sold_out")
def test_a_product_that_is_there_is_not_waited_for(client: Client) -> None:
    inventory.receive_stock(sku=SKU, quantity=1)
    answer = want(client)
    assert (answer.status_code, answer.json()["type"]) == (409, "/api/v1/problems/in-stock")
    assert waiting() == []
