"""PENDING, CONFIRMED, CANCELLED: every order in which the steps may come."""

from uuid import UUID, uuid4

import pytest
from django_fsm import TransitionNotAllowed

from orders import services
from orders.models import EventKind, Status
from orders.services import OrderNotPending
from orders.tests.posting import order
from sagas.participant.receipts import AlreadyCompensated

pytestmark = pytest.mark.django_db(databases=["orders"])


def _events(saga_id: UUID) -> list[tuple[str, str]]:
    return [(event.kind, event.reason) for event in services.order_of(saga_id=saga_id).events.all()]


def test_a_pending_order_is_confirmed() -> None:
    saga_id, created = order()
    assert services.confirm_order(saga_id=saga_id) == {"order_id": created["order_id"]}
    confirmed = services.order_of(saga_id=saga_id)
    assert confirmed.status == Status.CONFIRMED
    assert confirmed.confirmed_at is not None
    assert _events(saga_id) == [(EventKind.CREATED, ""), (EventKind.CONFIRMED, "")]


def test_a_repeated_confirmation_returns_the_first_result() -> None:
    saga_id, _ = order()
    first = services.confirm_order(saga_id=saga_id)
    assert services.confirm_order(saga_id=saga_id) == first
    assert len(_events(saga_id)) == 2


def test_a_pending_order_is_cancelled_with_its_reason() -> None:
    saga_id, created = order()
    cancelled = services.cancel_order(saga_id=saga_id, reason="out-of-stock")
    assert cancelled == {"order_id": created["order_id"]}
    undone = services.order_of(saga_id=saga_id)
    assert (undone.status, undone.cancel_reason) == (Status.CANCELLED, "out-of-stock")
    assert undone.cancelled_at is not None
    assert _events(saga_id) == [(EventKind.CREATED, ""), (EventKind.CANCELLED, "out-of-stock")]


def test_a_repeated_cancellation_returns_the_first_result_and_keeps_the_first_reason() -> None:
    saga_id, _ = order()
    first = services.cancel_order(saga_id=saga_id, reason="deadline")
    assert services.cancel_order(saga_id=saga_id, reason="operator") == first
    assert services.order_of(saga_id=saga_id).cancel_reason == "deadline"
    assert len(_events(saga_id)) == 2


def test_a_confirmed_order_is_cancelled_when_an_operator_undoes_it() -> None:
    saga_id, _ = order()
    services.confirm_order(saga_id=saga_id)
    services.cancel_order(saga_id=saga_id, reason="operator")
    undone = services.order_of(saga_id=saga_id)
    assert undone.status == Status.CANCELLED
    assert undone.confirmed_at is not None
    assert [kind for kind, _ in _events(saga_id)] == [
        EventKind.CREATED,
        EventKind.CONFIRMED,
        EventKind.CANCELLED,
    ]


def test_a_cancelled_order_is_never_confirmed() -> None:
    saga_id, _ = order()
    services.cancel_order(saga_id=saga_id, reason="deadline")
    with pytest.raises(OrderNotPending) as refusal:
        services.confirm_order(saga_id=saga_id)
    assert refusal.value.code == "order-not-pending"
    assert services.order_of(saga_id=saga_id).status == Status.CANCELLED


def test_a_late_copy_of_the_confirmation_does_not_revive_a_cancelled_order() -> None:
    saga_id, _ = order()
    services.confirm_order(saga_id=saga_id)
    services.cancel_order(saga_id=saga_id, reason="operator")
    services.confirm_order(saga_id=saga_id)
    assert services.order_of(saga_id=saga_id).status == Status.CANCELLED


def test_an_order_that_was_never_made_is_not_confirmed() -> None:
    with pytest.raises(OrderNotPending):
        services.confirm_order(saga_id=uuid4())


def test_a_late_copy_of_the_creation_is_refused_after_the_cancellation() -> None:
    saga_id, _ = order()
    services.cancel_order(saga_id=saga_id, reason="deadline")
    with pytest.raises(AlreadyCompensated):
        services.create_order(saga_id=saga_id)


def test_the_state_moves_by_transitions_only() -> None:
    saga_id, _ = order()
    made = services.order_of(saga_id=saga_id)
    with pytest.raises(AttributeError):
        made.status = Status.CONFIRMED.value
    made.cancel(reason="deadline")
    with pytest.raises(TransitionNotAllowed):
        made.confirm()
    with pytest.raises(TransitionNotAllowed):
        made.cancel(reason="again")
