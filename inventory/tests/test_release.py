"""Releasing is the true inverse of reserving, in whatever order the two come."""

from uuid import uuid4

import pytest

from inventory import services
from inventory.models import DATABASE, Receipt, Reservation, Status
from inventory.services import Holding
from inventory.tests.shelf import put, reserve, reserved
from sagas.participant.receipts import AlreadyCompensated

pytestmark = pytest.mark.django_db(databases=["inventory"])


def test_released_stock_is_available_again() -> None:
    put("A", 5)
    put("B", 5)
    saga_id = uuid4()
    held = reserve(saga_id, A=2, B=3)
    assert services.release_stock(saga_id=saga_id) == held
    assert (reserved("A"), reserved("B")) == (0, 0)
    assert services.holdings(saga_id=saga_id) == [
        Holding("A", 2, Status.RELEASED),
        Holding("B", 3, Status.RELEASED),
    ]
    assert Reservation.objects.using(DATABASE).get().released_at is not None


def test_a_release_leaves_what_others_hold() -> None:
    put("A", 5)
    saga_id = uuid4()
    reserve(saga_id, A=2)
    reserve(A=1)
    services.release_stock(saga_id=saga_id)
    assert reserved("A") == 1


def test_a_second_release_gives_nothing_back_twice() -> None:
    put("A", 5)
    saga_id = uuid4()
    reserve(saga_id, A=2)
    reserve(A=2)
    first = services.release_stock(saga_id=saga_id)
    assert services.release_stock(saga_id=saga_id) == first
    assert reserved("A") == 2


def test_a_release_before_the_reservation_forbids_it_for_ever() -> None:
    put("A", 5)
    saga_id = uuid4()
    assert services.release_stock(saga_id=saga_id) == {}
    with pytest.raises(AlreadyCompensated):
        reserve(saga_id, A=2)
    assert reserved("A") == 0
    tombstone = Receipt.objects.using(DATABASE).get(saga_id=saga_id)
    assert tombstone.done_at is None
    assert tombstone.undone_at is not None


def test_a_late_repeat_of_a_released_reservation_is_refused() -> None:
    put("A", 5)
    saga_id = uuid4()
    reserve(saga_id, A=2)
    services.release_stock(saga_id=saga_id)
    with pytest.raises(AlreadyCompensated):
        reserve(saga_id, A=2)
    assert reserved("A") == 0
