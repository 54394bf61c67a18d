"""Copies of one message at the same instant, on real connections."""

from uuid import uuid4

import pytest

from inventory import services
from inventory.models import DATABASE, Receipt, Reservation
from inventory.tests.crowd import all_at_once
from inventory.tests.shelf import put, reserve, reserved
from sagas.participant.receipts import AlreadyCompensated

pytestmark = pytest.mark.django_db(databases=["inventory"], transaction=True)


def test_twenty_copies_of_one_reservation_hold_once() -> None:
    """Guard: the receipt's unique key, inserted before the effect."""
    put("A", 100)
    saga_id = uuid4()
    outcomes = all_at_once([lambda: reserve(saga_id, A=2)] * 20)
    reservation = Reservation.objects.using(DATABASE).get()
    assert outcomes == [{"reservation_id": str(reservation.pk)}] * 20
    assert reserved("A") == 2


def test_twenty_copies_of_one_release_give_back_once() -> None:
    """Guard: the lock on the receipt's row."""
    put("A", 100)
    saga_id = uuid4()
    held = reserve(saga_id, A=2)
    reserve(A=5)
    outcomes = all_at_once([lambda: services.release_stock(saga_id=saga_id)] * 20)
    assert outcomes == [held] * 20
    assert reserved("A") == 5


def test_a_release_among_reservations_always_wins() -> None:
    """Guard: the tombstone, or the receipt's lock, whichever came first."""
    put("A", 100)
    for number in range(10):
        saga_id = uuid4()
        reservations = [lambda saga_id=saga_id: reserve(saga_id, A=2)] * 3
        releases = [lambda saga_id=saga_id: services.release_stock(saga_id=saga_id)] * 3
        if number % 2:
            outcomes = all_at_once([*reservations, *releases])
        else:
            outcomes = all_at_once([*releases, *reservations])[::-1]
        assert all(isinstance(held, Exception) or held["reservation_id"] for held in outcomes[:3])
        refused = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        assert all(isinstance(error, AlreadyCompensated) for error in refused)
        assert Receipt.objects.using(DATABASE).get(saga_id=saga_id).undone_at is not None
        assert reserved("A") == 0
