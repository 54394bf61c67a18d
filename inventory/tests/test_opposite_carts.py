"""Carts that name the same products in opposite orders never wait for each other in a ring."""

from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest
from django.db import connections, transaction

from inventory.models import DATABASE, Stock
from inventory.services import Result
from inventory.tests.crowd import all_at_once
from inventory.tests.shelf import put, reserve, reserved

pytestmark = pytest.mark.django_db(databases=["inventory"], transaction=True)

ROUNDS = 25


def test_opposite_carts_are_both_served_without_a_deadlock() -> None:
    """Guard: the UPDATEs run in the order of the SKUs, whatever the order of the cart."""
    put("A", 1000)
    put("B", 1000)
    for _ in range(ROUNDS):
        outcomes = all_at_once([lambda: reserve(A=1, B=1), lambda: reserve(B=1, A=1)])
        assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert (reserved("A"), reserved("B")) == (2 * ROUNDS, 2 * ROUNDS)


def test_a_cart_that_waits_for_its_first_product_holds_no_later_one() -> None:
    """Guard: the order again, seen at work: while A is locked elsewhere, B stays free."""
    put("A", 10)
    put("B", 10)

    def reserve_backwards() -> Result:
        try:
            return reserve(B=1, A=1)
        finally:
            connections[DATABASE].close()

    with ThreadPoolExecutor(max_workers=1) as thread:
        with transaction.atomic(using=DATABASE):
            Stock.objects.using(DATABASE).select_for_update().get(pk="A")
            waiting = thread.submit(reserve_backwards)
            _until_somebody_waits_for_a_lock()
            Stock.objects.using(DATABASE).select_for_update(nowait=True).get(pk="B")
        waiting.result(timeout=10)
    assert (reserved("A"), reserved("B")) == (1, 1)


def _until_somebody_waits_for_a_lock() -> None:
    deadline = monotonic() + 4
    with connections[DATABASE].cursor() as cursor:
        while monotonic() < deadline:
            cursor.execute(
                "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
                "WHERE NOT granted AND datname = current_database()"
            )
            if cursor.fetchone() != (0,):
                return
    raise AssertionError("nobody waited")
