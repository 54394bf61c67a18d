"""POST /checkouts: what is accepted, what is refused before anything is begun, and how."""

import pytest
from pytest_django import Settings

from inventory.models import Product
from inventory.services import add_product
from sagas import journal
from sagas.checkout.tests.shopping import Shopper, assert_problem, id_of, left_behind
from sagas.models import Saga

pytestmark = pytest.mark.django_db(databases="__all__")


def test_it_is_accepted_before_anything_is_done(guest: Shopper) -> None:
    answer = guest.place()
    assert answer.status_code == 202
    placed = answer.json()
    assert answer.headers["Location"] == placed["links"]["self"]
    assert answer.headers["Retry-After"] == "1"
    assert placed["status"] == "processing"
    assert placed["total"] == {"amount": 2500, "currency": "EUR"}
    assert (placed["charged"], placed["refunded"], placed["reason"]) == (0, 0, None)
    assert placed["lines"] == [
        {"sku": "MUG", "name": "Mug", "quantity": 2, "unit_price": 1250, "line_total": 2500}
    ]
    assert journal.read(id_of(answer)).state == "PENDING"


def test_equal_products_are_one_line(guest: Shopper) -> None:
    lines = [{"sku": "MUG", "quantity": 2}, {"sku": "MUG", "quantity": 3}]
    placed = guest.place(lines=lines).json()
    assert [(line["sku"], line["quantity"]) for line in placed["lines"]] == [("MUG", 5)]


def test_the_price_is_the_servers(guest: Shopper) -> None:
    lines = [{"sku": "MUG", "quantity": 1, "unit_price": 1}]
    problem = assert_problem(guest.place(lines=lines), 400, "validation-error")
    assert problem["errors"][0]["pointer"] == "#/lines/0/unit_price"


def test_the_total_that_the_shopper_saw_is_compared(guest: Shopper) -> None:
    assert guest.place(expected_total=2500).status_code == 202
    problem = assert_problem(guest.place(expected_total=2400), 409, "price-changed")
    assert problem["total"] == {"amount": 2500, "currency": "EUR"}
    assert problem["expected_total"] == 2400
    assert left_behind() == (1, 1, 1)


def test_a_price_that_changes_later_does_not_change_what_was_placed(guest: Shopper) -> None:
    placed = guest.place()
    Product.objects.using("inventory").filter(sku="MUG").update(price=9900)
    assert guest.look(placed).json()["total"] == {"amount": 2500, "currency": "EUR"}


def test_too_little_stock_is_told_for_each_line_at_once(guest: Shopper) -> None:
    lines = [
        {"sku": "MUG", "quantity": 1},
        {"sku": "CUP", "quantity": 1},
        {"sku": "BOWL", "quantity": 2},
    ]
    problem = assert_problem(guest.place(lines=lines), 409, "insufficient-stock")
    assert [(e["pointer"], e["available"]) for e in problem["errors"]] == [
        ("#/lines/1/sku", 0),
        ("#/lines/2/sku", 1),
    ]
    assert left_behind() == (0, 0, 0)


def test_lines_of_one_product_are_added_before_they_are_compared_with_the_stock(
    guest: Shopper,
) -> None:
    lines = [{"sku": "BOWL", "quantity": 1}, {"sku": "BOWL", "quantity": 1}]
    problem = assert_problem(guest.place(lines=lines), 409, "insufficient-stock")
    assert [e["detail"] for e in problem["errors"]] == ["2 wanted, 1 available."]


def test_each_fault_of_a_cart_has_a_code(guest: Shopper) -> None:
    short = assert_problem(
        guest.place(lines=[{"sku": "CUP", "quantity": 1}]), 409, "insufficient-stock"
    )
    unknown = assert_problem(
        guest.place(lines=[{"sku": "NIX", "quantity": 1}]), 422, "unknown-product"
    )
    assert [error["code"] for error in short["errors"]] == ["insufficient-stock"]
    assert [error["code"] for error in unknown["errors"]] == ["unknown-product"]


def test_a_whole_number_may_be_written_with_a_fraction(guest: Shopper) -> None:
    """JSON Schema takes 2.0 for an integer (draft 2020-12, validation, 6.1.1), and so must we."""
    placed = guest.place(lines=[{"sku": "MUG", "quantity": 2.0}], expected_total=2500.0)
    assert placed.status_code == 202
    assert placed.json()["lines"][0]["quantity"] == 2


def test_a_product_that_is_not_for_sale_is_named(guest: Shopper) -> None:
    Product.objects.using("inventory").filter(sku="BOWL").update(active=False)
    lines = [{"sku": sku, "quantity": 1} for sku in ("NOTHING", "MUG", "BOWL")]
    problem = assert_problem(guest.place(lines=lines), 422, "unknown-product")
    assert [e["pointer"] for e in problem["errors"]] == ["#/lines/0/sku", "#/lines/2/sku"]


def test_one_order_has_one_currency(guest: Shopper) -> None:
    lines = [{"sku": "MUG", "quantity": 1}, {"sku": "BOOK", "quantity": 1}]
    problem = assert_problem(guest.place(lines=lines), 422, "mixed-currencies")
    assert sorted(problem["currencies"]) == ["EUR", "USD"]


def test_what_costs_nothing_cannot_be_charged(guest: Shopper) -> None:
    lines = [{"sku": "GIFT", "quantity": 1}]
    assert_problem(guest.place(lines=lines), 422, "nothing-to-pay")


def test_a_total_beyond_what_a_database_holds_is_refused(guest: Shopper) -> None:
    for number in range(100):
        add_product(
            sku=f"GOLD-{number}", name="Gold", description="", price=99_999_999_99,
            currency="EUR", on_hand=999,
        )  # fmt: skip
    lines = [{"sku": f"GOLD-{number}", "quantity": 999} for number in range(100)]
    answer = guest.place(lines=lines)
    assert answer.status_code < 500, answer.content


@pytest.mark.parametrize("prefer", ["wait=0", "respond-async, wait=0", "Wait=0; foo"])
def test_a_wait_is_applied_and_said(guest: Shopper, prefer: str) -> None:
    answer = guest.place(prefer=prefer)
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "wait=0"


@pytest.mark.parametrize("prefer", ["wait=soon", "wait=-5", "await=5", "wait=5.5.5"])
def test_a_wait_that_cannot_be_read_is_ignored(guest: Shopper, prefer: str) -> None:
    answer = guest.place(prefer=prefer)
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers


def test_a_wait_is_bounded(guest: Shopper, settings: Settings) -> None:
    settings.CHECKOUT_MAX_WAIT = 0.1
    answer = guest.place(prefer="wait=999999")
    assert answer.headers["Preference-Applied"] == "wait=0.1"


def test_the_saga_holds_nothing_that_was_posted(guest: Shopper) -> None:
    guest.place()
    assert Saga.objects.using("default").get().input == {}
