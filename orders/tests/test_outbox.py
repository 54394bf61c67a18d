"""An event and the change that it tells of are committed together, or not at all."""

from uuid import uuid4

import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from orders import services
from orders.models import DATABASE, Order, OutboxEvent
from orders.tests.posting import ADDRESS, EMAIL, TOTAL, order, post
from sagas.events.facts import Fact, NotPlain
from sagas.events.outbox import NotInTransaction, UnknownType, tell

pytestmark = pytest.mark.django_db(databases=["orders"], transaction=True)


def told() -> list[str]:
    rows = OutboxEvent.objects.using(DATABASE).order_by("sequence")
    return list(rows.values_list("type", flat=True))


class Died(Exception):
    pass


def test_an_order_tells_of_everything_that_happens_to_it() -> None:
    saga_id, made = order()
    services.confirm_order(saga_id=saga_id)
    services.cancel_order(saga_id=saga_id, reason="operator")

    rows = list(OutboxEvent.objects.using(DATABASE).order_by("sequence"))
    assert [row.type for row in rows] == ["order_created", "order_confirmed", "order_cancelled"]
    assert {row.aggregate for row in rows} == {f"order:{made['order_id']}"}
    assert {row.saga_id for row in rows} == {saga_id}
    assert rows[0].payload == {
        "order_id": made["order_id"],
        "number": made["number"],
        "total": TOTAL,
        "currency": "EUR",
    }
    assert rows[2].payload["reason"] == "operator"


def test_a_repeated_step_tells_nothing_again() -> None:
    """Guard: the receipt, in whose transaction the event is written."""
    saga_id, _ = order()
    services.create_order(saga_id=saga_id)
    assert told() == ["order_created"]


def test_a_change_that_is_rolled_back_tells_nothing() -> None:
    """Guard: one transaction; with the event in another, it would be told all the same."""
    saga_id = post()

    def create_and_die() -> None:
        with transaction.atomic(using=DATABASE):
            services.create_order(saga_id=saga_id)
            assert told() == ["order_created"]
            raise Died

    with pytest.raises(Died):
        create_and_die()
    assert told() == []
    assert not Order.objects.using(DATABASE).exists()


def test_a_change_whose_event_cannot_be_written_does_not_happen() -> None:
    """Guard: the same, the other way round."""
    saga_id = post()
    with connections[DATABASE].cursor() as cursor:
        cursor.execute("ALTER TABLE orders_outboxevent ADD CONSTRAINT full_up CHECK (sequence < 0)")
    try:
        with pytest.raises(Exception, match="full_up"):
            services.create_order(saga_id=saga_id)
    finally:
        with connections[DATABASE].cursor() as cursor:
            cursor.execute("ALTER TABLE orders_outboxevent DROP CONSTRAINT full_up")
    assert not Order.objects.using(DATABASE).exists()


def test_an_event_costs_the_step_one_insert() -> None:
    saga_id, _ = order()
    with CaptureQueriesContext(
        connections[DATABASE],
    ) as seen:
        services.confirm_order(saga_id=saga_id)
    about_events = [q["sql"] for q in seen if "outbox" in q["sql"]]
    assert len(about_events) == 1
    assert about_events[0].startswith("INSERT INTO orders_outboxevent")


def test_several_facts_cost_one_insert_too() -> None:
    facts = [Fact(type="order_created", aggregate=f"order:{n}") for n in range(5)]
    with CaptureQueriesContext(connections[DATABASE]) as seen, transaction.atomic(using=DATABASE):
        tell(OutboxEvent, *facts)
    assert sum("outbox" in q["sql"] for q in seen) == 1
    assert len(told()) == 5


def test_an_event_outside_a_transaction_is_refused() -> None:
    with pytest.raises(NotInTransaction, match="order_created"):
        tell(OutboxEvent, Fact(type="order_created", aggregate="order:1"))


def test_an_event_that_nobody_could_subscribe_to_is_refused() -> None:
    with pytest.raises(UnknownType, match="EVENT_CONSUMERS"), transaction.atomic(using=DATABASE):
        tell(OutboxEvent, Fact(type="order_misspelt", aggregate="order:1"))


@pytest.mark.parametrize(
    "payload",
    [
        {"email": EMAIL},
        {"name": ADDRESS["name"]},
        {"buyer": {"street": "12 St James's Square"}},
        {"lines": [{"name": "Earl Grey"}]},
        {"total": 12.5},
    ],
)
def test_a_payload_with_personal_data_is_refused(payload: dict[str, object]) -> None:
    with pytest.raises(NotPlain) as refused:
        Fact(type="order_created", aggregate="order:1", payload=payload)
    assert EMAIL not in str(refused.value)
    assert "St James" not in str(refused.value)


def test_ids_codes_and_amounts_are_fine() -> None:
    payload = {"id": str(uuid4()), "sku": "MUG-BLUE_2.0", "amount": -1, "late": False, "x": None}
    fact = Fact(type="order_created", aggregate="order:1", payload=payload)
    assert fact.payload == payload
