"""The API documents itself, errors included, and loads nothing from elsewhere."""

import json
import re
from typing import Any

import pytest
from django.test import Client


def test_the_root_leads_to_the_documentation(client: Client) -> None:
    answer = client.get("/")
    assert answer.status_code == 302
    assert answer["Location"] == "/api/v1/docs"


def test_the_documentation_loads_from_this_site_only(client: Client) -> None:
    page = client.get("/api/v1/docs").text
    assert "swagger-ui" in page
    assert re.findall(r"""(?:src|href)=["'](?:https?:)?//[^"']*""", page) == []


@pytest.fixture
def document(client: Client) -> Any:
    return client.get("/api/v1/schema", headers={"Accept": "application/json"}).json()


def operations_of(document: Any) -> dict[str, Any]:
    """Return each operation by its id."""
    return {
        operation["operationId"]: operation
        for methods in document["paths"].values()
        for operation in methods.values()
    }


def test_every_operation_says_what_its_errors_look_like(document: Any) -> None:
    assert document["openapi"].startswith("3.1")
    operations = operations_of(document)
    assert operations
    for operation in operations.values():
        errors = {code: told for code, told in operation["responses"].items() if code[0] in "45"}
        assert {"406", "5XX"} <= set(errors)
        for told in errors.values():
            assert list(told["content"]) == ["application/problem+json"]
            assert told["description"]
    assert {"Problem", "Fault"} <= set(document["components"]["schemas"])


def test_every_status_of_a_checkout_is_listed(document: Any) -> None:
    """The fuzz finds any other; there is no default that would let all pass."""
    statuses = {name: set(each["responses"]) for name, each in operations_of(document).items()}
    assert statuses["place_checkout"] == {
        "201", "202", "400", "401", "403", "406", "409", "413", "415", "422", "5XX",
    }  # fmt: skip
    assert statuses["cancel_checkout"] == {"202", "401", "403", "404", "406", "409", "5XX"}
    assert statuses["get_checkout"] == {"200", "401", "404", "406", "5XX"}


def test_every_link_leads_from_an_answer_to_an_operation_with_its_parameters(
    document: Any,
) -> None:
    operations = operations_of(document)
    links = [
        link
        for operation in operations.values()
        for status, told in operation["responses"].items()
        for link in told.get("links", {}).values()
        if status[0] == "2"
    ]
    assert {link["operationId"] for link in links} == {
        "place_checkout",
        "get_checkout",
        "cancel_checkout",
        "cancel_order",
        "get_cancellation",
        "refund_order",
        "get_refund",
        "orders_retrieve",
        "products_retrieve",
    }
    for link in links:
        target = operations[link["operationId"]]
        assert set(link["parameters"]) <= {each["name"] for each in target.get("parameters", [])}


def test_null_is_a_type_as_in_openapi_3_1(document: Any) -> None:
    assert "nullable" not in json.dumps(document)
    page = document["components"]["schemas"]["PaginatedProductList"]
    assert page["properties"]["next"]["type"] == ["string", "null"]


@pytest.mark.parametrize("name", ["CheckoutBody", "Address", "CartLine"])
def test_a_strict_body_is_told_as_one(document: Any, name: str) -> None:
    told = document["components"]["schemas"][name]
    assert told["additionalProperties"] is False
    texts = [each for each in told["properties"].values() if each.get("type") == "string"]
    assert all("pattern" in each or "format" in each for each in texts)


@pytest.mark.parametrize(
    ("name", "member", "taken", "refused"),
    [
        ("Address", "name", ["Ada", " Ada ", "\u00e9"], ["", "  ", "A\nB", "A\u2028B", "A\u0085"]),
        ("Address", "line2", ["", "  ", "Flat 2"], ["A\x00B"]),
        ("Address", "country", ["GB"], ["gb", "GBR", ""]),
        ("CheckoutBody", "payment_token", ["tok_success"], ["4242-4242-4242-4242", "a", "a b"]),
    ],
)
def test_the_patterns_say_what_the_api_takes(
    document: Any, name: str, member: str, taken: list[str], refused: list[str]
) -> None:
    """What the API itself says of these is in sagas/checkout/tests/test_bad_bodies.py."""
    pattern = document["components"]["schemas"][name]["properties"][member]["pattern"]
    assert [text for text in taken if not re.search(pattern, text)] == []
    assert [text for text in refused if re.search(pattern, text)] == []
