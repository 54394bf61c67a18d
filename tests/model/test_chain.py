"""What Celery sends after a step, and when the engine publishes: seen at Celery's own edge."""

from collections.abc import Callable

import pytest
from django.db import connections

from sagas import operations, recovery
from sagas.operations import Dispatch
from sagas.participant import crash
from sagas.participant.crash import Moment
from tests.model import outside
from tests.model.faults import Fault, How
from tests.model.shop import Placed, Shop

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


@pytest.fixture
def shop(open_shop: Callable[[], Shop]) -> Shop:
    """A shop with one checkout, whose first message waits."""
    shop = open_shop()
    lines = [{"sku": shop.skus[0], "quantity": 1}]
    shop.place(Placed(f"{shop.run_id}-0", lines, "tok_success"))
    return shop


def _steps(shop: Shop) -> list[str]:
    return [message.arguments.get("step", message.task) for message in shop.bag]


def test_a_saved_step_sends_the_next_message(shop: Shop) -> None:
    assert _steps(shop) == ["create_order"]
    shop.deliver(shop.bag.pop())
    assert [saga.state for saga in shop.sagas()] == ["INVENTORY_RESERVED"]
    assert _steps(shop) == ["charge_payment"]


def test_the_next_message_goes_out_only_after_a_saved_step(shop: Shop) -> None:
    """Guard: ``Ignore``, by which Celery leaves the rest of a chain unsent."""
    before_the_orders_commit = Fault(How.FAIL, at=2)
    shop.deliver(shop.bag.pop(), before_the_orders_commit)
    assert _steps(shop) == ["sagas.wake"]


def test_a_broker_that_is_away_leaves_the_saga_due(shop: Shop) -> None:
    """Guard: publishing catches what a broker that is away raises."""
    (saga,) = shop.sagas()
    outside.let_time_pass(saga.id)
    shop.bag.clear()
    before_publishing = Fault(How.FAIL, at=2)
    process = shop.run(lambda: operations.dispatch(saga.id), before_publishing)
    assert process.struck == "sagas.publish (before)"
    assert process.result is Dispatch.NOT_PUBLISHED
    assert _steps(shop) == []
    outside.let_time_pass(saga.id)
    assert recovery.recover().dispatched == [saga.id]


def test_nothing_is_published_while_a_transaction_is_open(shop: Shop) -> None:
    """Guard: ``dispatch`` publishes after its transaction (before: a message finds an old row)."""
    open_at_publish: list[list[str]] = []

    class Watch:
        def reached(self, point: str, moment: Moment) -> None:
            if point == "sagas.publish":
                open_at_publish.append(
                    [each.alias for each in connections.all() if each.in_atomic_block]
                )

    (saga,) = shop.sagas()
    crash.arm(Watch())
    operations.dispatch(saga.id)
    assert open_at_publish == [[], []]
