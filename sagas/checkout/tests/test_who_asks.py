"""A checkout is its shopper's own; for anybody else it does not exist."""

from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from pytest_django import Settings
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from sagas.checkout.tests.shopping import CHECKOUTS, Shopper, assert_problem

pytestmark = pytest.mark.django_db(databases="__all__")


def test_a_guest_looks_with_the_token_that_the_answer_gave(guest: Shopper) -> None:
    placed = guest.place()
    assert guest.look(placed).json()["id"] == placed.json()["id"]


def test_without_the_token_a_guests_checkout_does_not_exist(guest: Shopper) -> None:
    placed = guest.place()
    assert_problem(guest.http.get(placed.headers["Location"]), 404, "not-found")


def test_the_token_of_another_order_does_not_open_it(guest: Shopper, customer: Shopper) -> None:
    token = guest.place().json()["order_token"]
    for placed in (guest.place(), customer.place()):
        answer = APIClient().get(
            placed.headers["Location"], headers={"Authorization": f"Order {token}"}
        )
        assert_problem(answer, 404, "not-found")


#: The same in every process of a test run, which must agree on the names of the tests.
NOBODYS = UUID("0b6a3f0e-6c55-4f5b-9d0e-2f1c8a7d4e13")


@pytest.mark.parametrize("token", ["", "x", "a b", "é", f"{NOBODYS.hex}:1:forged"])
def test_a_token_that_proves_nothing_is_a_401(guest: Shopper, token: str) -> None:
    placed = guest.place()
    answer = APIClient().get(
        placed.headers["Location"], headers={"Authorization": f"Order {token}"}
    )
    assert_problem(answer, 401, "authentication-failed")


def test_a_token_ends(guest: Shopper, settings: Settings) -> None:
    placed = guest.place()
    settings.ORDER_TOKEN_AGE = -1
    assert_problem(guest.look(placed), 401, "authentication-failed")


def test_a_customer_sees_their_own_and_gets_no_token(customer: Shopper) -> None:
    placed = customer.place()
    assert "order_token" not in placed.json()
    assert customer.look(placed).status_code == 200


def test_another_customers_checkout_does_not_exist(customer: Shopper) -> None:
    placed = customer.place()
    other = Shopper(get_user_model().objects.create_user("grace"))
    assert_problem(other.look(placed), 404, "not-found")
    assert_problem(other.cancel(placed), 404, "not-found")
    assert customer.look(placed).json()["status"] == "processing"


def test_an_api_token_signs_a_customer_in(customer: Shopper) -> None:
    placed = customer.place()
    key = Token.objects.create(user=customer.user).key
    answer = APIClient().get(placed.headers["Location"], headers={"Authorization": f"Token {key}"})
    assert answer.status_code == 200


def test_a_session_posts_with_its_csrf_token_only(customer: Shopper) -> None:
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(customer.user)
    shopper = Shopper(http=browser)
    assert_problem(shopper.place(), 403, "permission-denied")


@pytest.mark.parametrize("path", [f"{CHECKOUTS}/{NOBODYS}", f"{CHECKOUTS}/not-an-id"])
def test_what_never_was_is_a_404(guest: Shopper, path: str) -> None:
    assert_problem(guest.http.get(path), 404, "not-found")
