"""An order is made of what was posted, once."""

from uuid import uuid4

import pytest

from orders import services
from orders.models import DATABASE, EventKind, Order, Receipt, Status
from orders.services import DraftMissing
from orders.tests.posting import ADDRESS, CART, EMAIL, TOTAL, order, post
from sagas.participant.receipts import AlreadyCompensated

pytestmark = pytest.mark.django_db(databases=["orders"])


def test_an_order_is_a_copy_of_its_draft_with_prices_and_a_total() -> None:
    saga_id, result = order()
    made = services.order_of(saga_id=saga_id)
    assert result == {
        "order_id": str(made.pk),
        "number": made.number,
        "total": TOTAL,
        "currency": "EUR",
        "lines": [{"sku": "MUG", "quantity": 2}, {"sku": "TEA", "quantity": 1}],
    }
    assert (made.status, made.principal, made.email) == (Status.PENDING, "user:1", EMAIL)
    assert made.shipping_address == {**ADDRESS, "line2": ""}
    assert [
        (line.sku, line.name, line.quantity, line.unit_price, line.line_total)
        for line in made.lines.all()
    ] == [("MUG", "Blue mug", 2, 1250, 2500), ("TEA", "Earl Grey", 1, 890, 890)]
    assert [event.kind for event in made.events.all()] == [EventKind.CREATED]


def test_the_result_holds_no_personal_data() -> None:
    saga_id, result = order()
    receipt = Receipt.objects.using(DATABASE).get(saga_id=saga_id)
    assert receipt.result == result
    for personal in (EMAIL, ADDRESS["name"], ADDRESS["line1"], ADDRESS["postal_code"]):
        assert personal not in str(receipt.result)


def test_a_repeat_returns_the_first_result() -> None:
    saga_id, first = order()
    assert services.create_order(saga_id=saga_id) == first
    assert Order.objects.using(DATABASE).count() == 1


def test_a_repeat_needs_no_draft_any_more() -> None:
    saga_id, first = order()
    services.discard_draft(checkout_id=saga_id)
    assert services.create_order(saga_id=saga_id) == first


def test_without_a_draft_the_order_is_refused_and_nothing_is_kept() -> None:
    saga_id = uuid4()
    with pytest.raises(DraftMissing) as refusal:
        services.create_order(saga_id=saga_id)
    assert refusal.value.code == "draft-missing"
    assert not Receipt.objects.using(DATABASE).exists()


def test_a_cancellation_before_the_order_forbids_it_for_ever() -> None:
    saga_id = post()
    assert services.cancel_order(saga_id=saga_id, reason="deadline") == {}
    with pytest.raises(AlreadyCompensated):
        services.create_order(saga_id=saga_id)
    assert not Order.objects.using(DATABASE).exists()


def test_numbers_are_drawn_and_tell_nothing() -> None:
    numbers = {order()[1]["number"] for _ in range(50)}
    assert len(numbers) == 50
    assert all(services.NUMBER_PATTERN.fullmatch(number) for number in numbers)


def test_the_total_is_the_sum_of_the_lines() -> None:
    saga_id, result = order()
    lines = services.order_of(saga_id=saga_id).lines.all()
    assert result["total"] == sum(line.line_total for line in lines)
    assert result["total"] == sum(line.quantity * line.unit_price for line in CART)
