"""Whatever is posted, the answer names the field and the mend; it is never a 5xx."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sagas.checkout.tests.shopping import (
    CHECKOUTS,
    Shopper,
    assert_problem,
    basket,
    left_behind,
    new_key,
)

pytestmark = pytest.mark.django_db(databases="__all__")

ADDRESS = basket()["shipping_address"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"email": "nobody"}, "#/email"),
        ({"email": 7}, "#/email"),
        ({"email": "ada@example.org\r\nBcc: eve@example.org"}, "#/email"),
        ({"email": "a" * 250 + "@example.org"}, "#/email"),
        ({"email": None}, "#/email"),
        ({"shipping_address": "London"}, "#/shipping_address"),
        ({"shipping_address": {}}, "#/shipping_address/name"),
        ({"shipping_address": {**ADDRESS, "name": "Ada\nByron"}}, "#/shipping_address/name"),
        ({"shipping_address": {**ADDRESS, "name": "Ada\u2028B"}}, "#/shipping_address/name"),
        ({"shipping_address": {**ADDRESS, "name": "A" * 201}}, "#/shipping_address/name"),
        ({"shipping_address": {**ADDRESS, "name": " "}}, "#/shipping_address/name"),
        ({"shipping_address": {**ADDRESS, "country": "gb"}}, "#/shipping_address/country"),
        ({"shipping_address": {**ADDRESS, "country": "GBR"}}, "#/shipping_address/country"),
        ({"shipping_address": {**ADDRESS, "planet": "Earth"}}, "#/shipping_address/planet"),
        ({"shipping_address": {**ADDRESS, "postal_code": 1234}}, "#/shipping_address/postal_code"),
        ({"lines": []}, "#/lines"),
        ({"lines": "MUG"}, "#/lines"),
        ({"lines": {"sku": "MUG"}}, "#/lines"),
        ({"lines": [{"sku": "MUG", "quantity": 1}] * 101}, "#/lines"),
        ({"lines": ["MUG"]}, "#/lines/0"),
        ({"lines": [{"sku": "MUG"}]}, "#/lines/0/quantity"),
        ({"lines": [{"sku": "MUG", "quantity": 0}]}, "#/lines/0/quantity"),
        ({"lines": [{"sku": "MUG", "quantity": -1}]}, "#/lines/0/quantity"),
        ({"lines": [{"sku": "MUG", "quantity": 1.5}]}, "#/lines/0/quantity"),
        ({"lines": [{"sku": "MUG", "quantity": "1"}]}, "#/lines/0/quantity"),
        ({"lines": [{"sku": "MUG", "quantity": True}]}, "#/lines/0/quantity"),
        ({"lines": [{"sku": "MUG", "quantity": 10**15}]}, "#/lines/0/quantity"),
        ({"lines": [{"sku": "MUG", "quantity": 1}, {"sku": 7, "quantity": 1}]}, "#/lines/1/sku"),
        ({"lines": [{"sku": "M\u0085G", "quantity": 1}]}, "#/lines/0/sku"),
        ({"payment_token": ""}, "#/payment_token"),
        ({"payment_token": "4242 4242 4242 4242"}, "#/payment_token"),
        ({"payment_token": "tok success"}, "#/payment_token"),
        ({"expected_total": "2500"}, "#/expected_total"),
        ({"expected_total": -1}, "#/expected_total"),
        ({"expected_total": 2**53 + 1}, "#/expected_total"),
        ({"coupon": "FREE"}, "#/coupon"),
    ],
)
def test_a_fault_is_named_by_its_place(
    guest: Shopper, change: dict[str, Any], pointer: str
) -> None:
    problem = assert_problem(guest.place(**change), 400, "validation-error")
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert all(error["detail"] for error in problem["errors"])
    assert left_behind() == (0, 0, 0)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"email": "a\u0000b@example.org"}, "#/email"),
        ({"lines": [{"sku": "M\u0000G", "quantity": 1}]}, "#/lines/0/sku"),
        ({"lines": [{"sku": "MUG", "quantity": 10**30}]}, "#/lines/0/quantity"),
        ({"expected_total": 2**80}, "#/expected_total"),
        ({"expected_total": float("nan")}, "#/expected_total"),
    ],
)
def test_what_no_database_can_hold_is_named_by_its_place_too(
    guest: Shopper, change: dict[str, Any], pointer: str
) -> None:
    answer = guest.http.post(
        CHECKOUTS,
        data=json.dumps(basket(**change)),
        content_type="application/json",
        headers={"Idempotency-Key": new_key()},
    )
    problem = assert_problem(answer, 400, "malformed-body")
    assert pointer in [error["pointer"] for error in problem["errors"]]


def test_ten_thousand_lines_are_too_large(guest: Shopper) -> None:
    lines = [{"sku": "MUG", "quantity": 1}] * 10_000
    assert_problem(guest.place(lines=lines), 413, "body-too-large")


def test_every_fault_is_told_at_once(guest: Shopper) -> None:
    problem = assert_problem(guest.place(body={}), 400, "validation-error")
    assert [error["pointer"] for error in problem["errors"]] == [
        "#/email", "#/shipping_address", "#/lines", "#/payment_token",
    ]  # fmt: skip


@pytest.mark.parametrize("number", ["4242424242424242", "4000-0000-0000-0002"])
def test_a_card_number_is_refused_and_not_repeated(guest: Shopper, number: str) -> None:
    answer = guest.place(payment_token=number)
    problem = assert_problem(answer, 400, "validation-error")
    assert "card number" in problem["errors"][0]["detail"]
    assert number not in answer.content.decode()


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400), (b"{", 400), (b"[]", 400), (b"null", 400), (b"7", 400), (b'"text"', 400),
        (b'{"lines": NaN}', 400), (b'{"expected_total": Infinity}', 400),
        (b'{"expected_total": 1e400}', 400), (b"[" * 100_000, 400), (b"\xff\xfe", 400),
        (b'{"email": "\\ud800"}', 400), (b"9" * 5_000, 400), (b" " * 300_000, 413),
    ],
)  # fmt: skip
def test_a_body_that_is_no_checkout_is_a_problem(guest: Shopper, raw: bytes, status: int) -> None:
    answer = guest.http.post(
        CHECKOUTS,
        data=raw,
        content_type="application/json",
        headers={"Idempotency-Key": new_key()},
    )
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_form_is_not_json(guest: Shopper) -> None:
    answer = guest.http.post(
        CHECKOUTS, data={"email": "x"}, format="multipart", headers={"Idempotency-Key": new_key()}
    )
    assert_problem(answer, 415, "unsupported-media-type")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["MUG", "ada@example.org", "\x00", "\ud800", "tok_success"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*basket(), *ADDRESS, "sku", "quantity"]) | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.dictionaries(st.sampled_from([*basket(), "coupon"]), JSON, max_size=4) | JSON)
def test_no_body_whatever_makes_a_5xx(guest: Shopper, changes: Any) -> None:
    body = {**basket(), **changes} if isinstance(changes, dict) else changes
    answer = guest.http.post(
        CHECKOUTS,
        data=json.dumps(body),
        content_type="application/json",
        headers={"Idempotency-Key": new_key()},
    )
    assert answer.status_code in (202, 400, 409, 413, 422), (body, answer.content)
