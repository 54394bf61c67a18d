"""Fifty buyers and one unit: one of them gets it."""

import pytest
from django.db import IntegrityError, connections

from inventory.models import DATABASE, Reservation
from inventory.services import OutOfStock
from inventory.tests.crowd import all_at_once
from inventory.tests.shelf import put, reserve, reserved

pytestmark = pytest.mark.django_db(databases=["inventory"], transaction=True)

BUYERS = 50


def test_one_of_fifty_buyers_gets_the_last_unit() -> None:
    """Guard: the conditional UPDATE, which tests and takes in one statement."""
    put("BOWL", 1)
    outcomes = all_at_once([lambda: reserve(BOWL=1)] * BUYERS)
    refused = [outcome for outcome in outcomes if isinstance(outcome, OutOfStock)]
    assert len(refused) == BUYERS - 1
    assert reserved("BOWL") == 1
    assert Reservation.objects.using(DATABASE).count() == 1


def test_without_the_condition_the_constraint_refuses_all_but_one() -> None:
    """Guard: CHECK inventory_no_oversell, which holds for any other writer too."""
    put("BOWL", 1)

    def take_without_looking() -> int:
        with connections[DATABASE].cursor() as cursor:
            cursor.execute("UPDATE inventory_stock SET reserved = reserved + 1 WHERE sku = 'BOWL'")
            return int(cursor.rowcount)

    outcomes = all_at_once([take_without_looking] * BUYERS)
    refused = [outcome for outcome in outcomes if isinstance(outcome, IntegrityError)]
    assert outcomes.count(1) == 1
    assert len(refused) == BUYERS - 1
    assert all("inventory_no_oversell" in str(error) for error in refused)
    assert reserved("BOWL") == 1
