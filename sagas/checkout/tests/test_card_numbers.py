"""A card number in any field is refused, told to nobody, and kept nowhere."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagas.checkout.cards import has_card_number
from sagas.checkout.tests.shopping import Shopper, assert_problem, basket, left_behind

VISA, AMEX, MAESTRO = "4242424242424242", "378282246310005", "6759649826438453"


def _address(**changes: str) -> dict[str, Any]:
    return {"shipping_address": {**basket()["shipping_address"], **changes}}


@pytest.mark.django_db(databases="__all__", transaction=True)
@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"email": f"{VISA}@example.org"}, "#/email"),
        (_address(name=f"Ada {VISA}"), "#/shipping_address/name"),
        (_address(line1="4242 4242 4242 4242"), "#/shipping_address/line1"),
        (_address(line2=f"card: {AMEX}, 12/27"), "#/shipping_address/line2"),
        (_address(city="4242-4242-4242-4242"), "#/shipping_address/city"),
        (_address(postal_code=VISA), "#/shipping_address/postal_code"),
        ({"lines": [{"sku": VISA, "quantity": 1}]}, "#/lines/0/sku"),
        ({"payment_token": VISA}, "#/payment_token"),
        ({"payment_token": f"tok_{VISA}"}, "#/payment_token"),
        ({"expected_total": int(VISA)}, "#/expected_total"),
        ({"lines": [{"sku": "MUG", "quantity": int(VISA)}]}, "#/lines/0/quantity"),
    ],
)
def test_it_is_refused_in_every_field(
    guest: Shopper, caplog: pytest.LogCaptureFixture, changes: dict[str, Any], pointer: str
) -> None:
    caplog.set_level(0)
    answer = guest.place(**changes)
    told = assert_problem(answer, 400, "validation-error")
    assert [error["pointer"] for error in told["errors"]] == [pointer]
    for secret in (VISA, AMEX, "4242 4242", "4242-4242"):
        assert secret not in answer.text + caplog.text
    assert left_behind() == (0, 0, 0)


@pytest.mark.django_db(databases="__all__", transaction=True)
def test_it_is_refused_as_an_idempotency_key(guest: Shopper) -> None:
    answer = guest.place(key=VISA)
    assert_problem(answer, 400, "idempotency-key-invalid")
    assert VISA not in answer.text


@pytest.mark.parametrize(
    "text",
    [
        VISA,
        AMEX,
        MAESTRO,
        "5555 5555 5555 4444",
        "3782 822463 10005",
        "4242.4242.4242.4242",
        "flat 12, 4242 4242 4242 4242",
        "4242 4242 4242 4242 12/27 123",
        "\u0664\u0662\u0664\u0662" * 4,
        "4242\u00a04242\u00a04242\u00a04242",
    ],
)
def test_card_numbers_are_found_however_they_are_written(text: str) -> None:
    assert has_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "N1 1AA",
        "1012 AB Amsterdam",
        "+49 170 1234567",
        "+442424242424242",
        "0049 170 12345678",
        "12 Analytical Road, flat 4242",
        "4242424242424241",
        "MG-7K3M9QXA",
        "978-3-16-148410-0",
        "424242424242",
        "42424242424242424242",
        "1766620800000",
    ],
)
def test_ordinary_numbers_pass(text: str) -> None:
    assert not has_card_number(text)


@given(st.text(alphabet="0123456789 -.", max_size=40))
def test_no_text_is_too_much(text: str) -> None:
    assert has_card_number(text) in (True, False)


@given(st.integers(min_value=13, max_value=19), st.data())
def test_every_number_with_a_right_check_digit_is_found_and_no_other(
    length: int, data: st.DataObject
) -> None:
    begin = data.draw(st.sampled_from("23456"))
    rest = data.draw(st.text(alphabet="0123456789", min_size=length - 2, max_size=length - 2))
    found = [digit for digit in "0123456789" if has_card_number(f"{begin}{rest}{digit}")]
    assert len(found) == 1
