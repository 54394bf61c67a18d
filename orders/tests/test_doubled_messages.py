"""Copies of one message, and opposite messages, at the same instant on real connections."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from django.db import connections

from orders import services
from orders.models import DATABASE, Order, OrderEvent, Status
from orders.services import OrderNotPending, Result
from orders.tests.posting import order, post
from sagas.participant.receipts import AlreadyCompensated

pytestmark = pytest.mark.django_db(databases=["orders"], transaction=True)

Outcome = Result | Exception


def _all_at_once(actions: Sequence[Callable[[], Result]]) -> list[Outcome]:
    barrier = Barrier(len(actions))

    def run(action: Callable[[], Result]) -> Outcome:
        try:
            connections[DATABASE].ensure_connection()
            barrier.wait(timeout=30)
            return action()
        except Exception as error:  # noqa: BLE001  (the test looks at what was raised)
            return error
        finally:
            connections[DATABASE].close()

    with ThreadPoolExecutor(max_workers=len(actions)) as threads:
        return list(threads.map(run, actions))


def _create(saga_id: UUID) -> Callable[[], Result]:
    return lambda: services.create_order(saga_id=saga_id)


def _confirm(saga_id: UUID) -> Callable[[], Result]:
    return lambda: services.confirm_order(saga_id=saga_id)


def _cancel(saga_id: UUID) -> Callable[[], Result]:
    return lambda: services.cancel_order(saga_id=saga_id, reason="deadline")


def test_twenty_copies_of_one_creation_make_one_order() -> None:
    """Guard: the receipt's unique key, inserted before the effect."""
    saga_id = post()
    outcomes = _all_at_once([_create(saga_id)] * 20)
    made = Order.objects.using(DATABASE).get()
    assert outcomes == [outcomes[0]] * 20
    assert isinstance(outcomes[0], dict)
    assert outcomes[0]["number"] == made.number
    assert OrderEvent.objects.using(DATABASE).count() == 1


def test_a_cancellation_among_creations_always_wins() -> None:
    """Guard: the tombstone, or the receipt's lock, whichever came first."""
    for number in range(10):
        saga_id = post()
        creations, cancellations = [_create(saga_id)] * 3, [_cancel(saga_id)] * 2
        if number % 2:
            outcomes = _all_at_once([*creations, *cancellations])
        else:
            outcomes = _all_at_once([*cancellations, *creations])[::-1]
        assert all(isinstance(made, Exception) or made["order_id"] for made in outcomes[:3])
        refused = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        assert all(isinstance(error, AlreadyCompensated) for error in refused)
        orders = Order.objects.using(DATABASE).filter(saga_id=saga_id)
        assert [made.status for made in orders] in ([], [Status.CANCELLED])


def test_an_order_confirmed_and_cancelled_at_the_same_instant_ends_cancelled() -> None:
    """Guard: the lock on the order's row; the two steps have receipts of their own."""
    for _ in range(10):
        saga_id, _created = order()
        outcomes = _all_at_once([_confirm(saga_id), _cancel(saga_id)])
        assert isinstance(outcomes[0], dict | OrderNotPending)
        assert isinstance(outcomes[1], dict)
        assert services.order_of(saga_id=saga_id).status == Status.CANCELLED
