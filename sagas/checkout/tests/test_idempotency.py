"""The Idempotency-Key: one key and body make one checkout, however often and by whoever."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connections

from inventory.models import Stock
from sagas.checkout.tests.shopping import (
    Shopper,
    assert_problem,
    basket,
    id_of,
    left_behind,
    new_key,
    stock_the_shelf,
)

pytestmark = pytest.mark.django_db(databases="__all__")


def test_it_is_required(guest: Shopper) -> None:
    assert_problem(guest.place(key=""), 400, "idempotency-key-missing")
    assert left_behind() == (0, 0, 0)


@pytest.mark.parametrize("key", ["two words", "k" * 256, "ключ-ключ-ключ-ключ"])
def test_it_is_visible_ascii_of_some_length(guest: Shopper, key: str) -> None:
    assert_problem(guest.place(key=key), 400, "idempotency-key-invalid")


def test_a_guests_key_is_long_enough_not_to_be_guessed(guest: Shopper, customer: Shopper) -> None:
    assert_problem(guest.place(key="short"), 400, "idempotency-key-invalid")
    assert customer.place(key="short").status_code == 202


def test_the_same_key_and_body_return_the_same_checkout(guest: Shopper) -> None:
    key = new_key()
    first, second = guest.place(key=key), guest.place(key=key)
    assert id_of(first) == id_of(second)
    assert left_behind() == (1, 1, 1)


def test_quoted_and_bare_are_the_same_key(guest: Shopper) -> None:
    key = new_key()
    assert id_of(guest.place(key=key)) == id_of(guest.place(key=f'"{key}"'))


def test_the_order_of_members_does_not_matter(guest: Shopper) -> None:
    key, body = new_key(), basket()
    turned = dict(reversed(body.items()))
    assert id_of(guest.place(key=key, body=body)) == id_of(guest.place(key=key, body=turned))


@pytest.mark.parametrize(
    "change",
    [
        {"email": "other@example.org"},
        {"lines": [{"sku": "MUG", "quantity": 3}]},
        {"payment_token": "tok_declined"},
        {"expected_total": 2500},
    ],
)
def test_the_same_key_with_another_body_is_refused(guest: Shopper, change: dict[str, Any]) -> None:
    key = new_key()
    guest.place(key=key)
    assert_problem(guest.place(key=key, **change), 422, "idempotency-key-reused")
    assert left_behind() == (1, 1, 1)


def test_a_repeat_is_answered_though_the_stock_is_gone_by_then(guest: Shopper) -> None:
    key, lines = new_key(), [{"sku": "BOWL", "quantity": 1}]
    first = guest.place(key=key, lines=lines)
    Stock.objects.using("inventory").filter(pk="BOWL").update(on_hand=0)
    assert id_of(guest.place(key=key, lines=lines)) == id_of(first)


def test_a_refused_request_does_not_use_the_key_up(guest: Shopper) -> None:
    key = new_key()
    assert guest.place(key=key, lines=[{"sku": "CUP", "quantity": 1}]).status_code == 409
    assert guest.place(key=key).status_code == 202


def test_keys_belong_to_whoever_sent_them(guest: Shopper, customer: Shopper) -> None:
    other = Shopper(get_user_model().objects.create_user("grace"))
    key = new_key()
    answers = [shopper.place(key=key) for shopper in (guest, customer, other)]
    assert len({id_of(answer) for answer in answers}) == 3


@pytest.mark.django_db(databases="__all__", transaction=True)
def test_equal_requests_at_the_same_instant_make_one_checkout() -> None:
    """Guard: the unique constraint on kind, principal and key (without it: many sagas)."""
    stock_the_shelf()
    key, together = new_key(), threading.Barrier(20)

    def post(_: int) -> str:
        try:
            together.wait(timeout=30)
            return str(id_of(Shopper().place(key=key)))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as threads:
        ids = set(threads.map(post, range(20)))
    assert len(ids) == 1
    assert left_behind() == (1, 1, 1)
