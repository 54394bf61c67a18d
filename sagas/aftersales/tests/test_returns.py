"""Staff give a part of an order back: once for each key, never more than is left."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from notifications.tests.conftest import MailServer
from orders.models import OrderLine, Return, ReturnStatus
from payments.tests.provider import FakeProvider
from sagas import verbs
from sagas.aftersales.tests.conftest import MUG, TOTAL, Sale, Staff, follower, sell
from sagas.checkout.tests.auditing import Vandal, told
from sagas.checkout.tests.shopping import Shopper, assert_problem
from sagas.console.preview import verdict_of
from sagas.models import Saga
from sagas.tests.conftest import NOBODY, deliver, drive, let_time_pass

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

ONE_MUG = [{"sku": "MUG", "quantity": 1}]


def line_of(sale: Sale) -> OrderLine:
    return OrderLine.objects.using("orders").get(order=sale.order)


def return_of(sale: Sale) -> Return:
    return Return.objects.using("orders").get(order=sale.order)


def test_units_are_paid_back_and_the_shopper_is_told(
    sale: Sale, staff: Staff, provider: FakeProvider, smtp: MailServer
) -> None:
    answer = staff.refund(sale, lines=ONE_MUG)
    assert answer.status_code == 202, answer.content
    assert answer.json()["amount"] == {"amount": MUG, "currency": "EUR"}
    assert told() == [], "what is under way is no fault"
    saga = drive(follower(sale, "return").pk)
    assert saga.state == "COMPLETE"
    assert provider.refunded(sale.payment.provider_ref) == MUG
    assert (line_of(sale).returned, return_of(sale).status) == (1, ReturnStatus.REFUNDED)
    assert (sale.order.status, sale.payment.status) == ("CONFIRMED", "SUCCEEDED")
    looked = staff.http.get(answer.headers["Location"]).json()
    assert (looked["status"], looked["lines"], looked["why"]) == ("refunded", ONE_MUG, "damaged")
    assert "12.50" in str(smtp.mails[-1]["Subject"])
    assert told() == []
    number = sale.order.number
    assert verdict_of(saga).sentence == f"12.50 EUR of your order {number} was given back."


def test_an_amount_is_paid_back_without_units(sale: Sale, staff: Staff) -> None:
    staff.refund(sale, amount=100, reason="goodwill")
    drive(follower(sale, "return").pk)
    assert (line_of(sale).returned, sale.payment.refunded) == (0, 100)
    assert told() == []


def test_the_same_key_pays_back_once(sale: Sale, staff: Staff, provider: FakeProvider) -> None:
    key = str(uuid4())
    first = staff.refund(sale, key=key, amount=TOTAL).json()
    drive(follower(sale, "return").pk)
    again = staff.refund(sale, key=key, amount=TOTAL)
    assert (again.status_code, again.json()["id"]) == (202, first["id"])
    assert_problem(staff.refund(sale, key=key, amount=1), 422, "idempotency-key-reused")
    assert provider.begun("refund", sale.payment.provider_ref) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"amount": TOTAL + 1}, 409, "not-refundable"),
        ({"lines": [{"sku": "MUG", "quantity": 3}]}, 409, "not-refundable"),
        ({"lines": [{"sku": "BOWL", "quantity": 1}]}, 409, "not-refundable"),
        ({"lines": ONE_MUG, "amount": MUG + 1}, 409, "not-refundable"),
        ({}, 400, "validation-error"),
        ({"lines": ONE_MUG * 2}, 400, "validation-error"),
        ({"amount": 0}, 400, "validation-error"),
        ({"amount": 1, "reason": "because"}, 400, "validation-error"),
        ({"amount": 1, "fee": 2}, 400, "validation-error"),
    ],
)
def test_what_cannot_be_paid_back_is_refused_with_the_place(
    sale: Sale, staff: Staff, body: dict[str, Any], status: int, code: str
) -> None:
    problem = assert_problem(staff.refund(sale, **body), status, code)
    assert all(fault["pointer"].startswith("#/") for fault in problem["errors"])
    assert not Saga.objects.using("default").filter(kind="return").exists()


def test_two_returns_of_one_unit_pay_back_once(
    sale: Sale, staff: Staff, provider: FakeProvider
) -> None:
    """Guard: a line counts its returned units (CHECK returned <= quantity)."""
    two = [{"sku": "MUG", "quantity": 2}]
    first, second = (staff.refund(sale, lines=two, amount=MUG).json()["id"] for _ in range(2))
    assert drive(first).state == "COMPLETE"
    refused = drive(second)
    assert (refused.state, refused.reason) == ("COMPENSATED", "returned-before")
    assert provider.refunded(sale.payment.provider_ref) == MUG
    assert told() == []


def test_two_amounts_that_are_too_much_together_pay_back_one(
    sale: Sale, staff: Staff, provider: FakeProvider
) -> None:
    """Guard: CHECK refunded + refund_pending <= captured."""
    first, second = (staff.refund(sale, amount=TOTAL - 1).json()["id"] for _ in range(2))
    assert drive(first).state == "COMPLETE"
    refused = drive(second)
    assert (refused.state, refused.reason) == ("COMPENSATED", "not-refundable")
    assert provider.refunded(sale.payment.provider_ref) == TOTAL - 1
    assert told() == []


def test_a_refund_that_is_refused_is_withdrawn(outside: None, guest: Shopper, staff: Staff) -> None:
    sale = sell(guest, payment_token="tok_refund_refused")
    staff.refund(sale, lines=ONE_MUG)
    saga = drive(follower(sale, "return").pk)
    assert (saga.state, saga.reason) == ("COMPENSATED", "refund-refused")
    assert (line_of(sale).returned, return_of(sale).status) == (0, ReturnStatus.WITHDRAWN)
    assert told() == []


def test_a_refund_that_the_bank_takes_days_for_is_waited_for(
    outside: None, guest: Shopper, staff: Staff, provider: FakeProvider
) -> None:
    sale = sell(guest, payment_token="tok_refund_late_3600")
    staff.refund(sale, lines=ONE_MUG)
    saga_id = follower(sale, "return").pk
    drive(saga_id, until="RETURN_OPENED")
    deliver(saga_id)
    waits = Saga.objects.using("default").get(pk=saga_id)
    assert (waits.state, waits.error_outcome, waits.attempts) == ("RETURN_OPENED", "waiting", 0)
    provider.advance()
    let_time_pass(saga_id)
    assert drive(saga_id).state == "COMPLETE"
    assert provider.begun("refund", sale.payment.provider_ref) == 1
    assert told() == []


def test_one_that_went_through_while_it_was_being_withdrawn_stays_returned(
    outside: None, guest: Shopper, staff: Staff, provider: FakeProvider
) -> None:
    """Guard: ``stop_refund`` asks the provider before the units can be returned again."""
    sale = sell(guest, payment_token="tok_refund_reply_lost")
    staff.refund(sale, lines=ONE_MUG)
    saga_id = follower(sale, "return").pk
    drive(saga_id, until="RETURN_OPENED")
    saga = Saga.objects.using("default").get(pk=saga_id)
    with pytest.raises(Exception, match="unknown"):
        saga.definition.step("refund_part").do(saga.context)
    verbs.compensate(saga_id, mandate=NOBODY)
    assert drive(saga_id).state == "COMPENSATED"
    assert (line_of(sale).returned, return_of(sale).status) == (1, ReturnStatus.REFUNDED)
    assert provider.refunded(sale.payment.provider_ref) == MUG
    assert told() == []


def test_the_rest_goes_back_when_the_order_is_cancelled_afterwards(
    sale: Sale, staff: Staff, provider: FakeProvider
) -> None:
    staff.refund(sale, lines=ONE_MUG)
    drive(follower(sale, "return").pk)
    sale.cancel()
    assert drive(follower(sale, "cancellation").pk).state == "COMPLETE"
    assert provider.refunded(sale.payment.provider_ref) == TOTAL
    assert told() == []


def test_one_that_is_made_during_the_second_look_too_is_left_to_the_next_audit(
    sale: Sale, staff: Staff, meanwhile: Callable[..., None]
) -> None:
    """Guard: the audit counts the revisions of the returns to that of their checkout."""

    def give_back() -> None:
        assert drive(staff.refund(sale, amount=100).json()["id"]).state == "COMPLETE"

    meanwhile(give_back, give_back)
    assert told() == []


def test_more_than_a_return_says_is_a_fault(sale: Sale, staff: Staff, vandal: Vandal) -> None:
    staff.refund(sale, lines=ONE_MUG)
    drive(follower(sale, "return").pk)
    vandal.write(
        "payments",
        "UPDATE payments_payment SET refunded = refunded + 1 WHERE saga_id = %s",
        sale.checkout_id,
    )
    assert ("money-held", sale.checkout_id, 1, "compensate") in told()


def test_an_order_that_is_cancelled_behind_a_cancellations_back_is_a_fault(
    sale: Sale, vandal: Vandal
) -> None:
    sale.cancel()
    drive(follower(sale, "cancellation").pk)
    vandal.write(
        "orders",
        "UPDATE orders_order SET status = 'CONFIRMED', cancelled_at = NULL WHERE saga_id = %s",
        sale.checkout_id,
    )
    assert "order-undone" in [fault[0] for fault in told()]


def test_only_staff_with_the_permission_pay_back(sale: Sale, guest: Shopper) -> None:
    url = f"/api/v1/orders/{sale.order.number}/refunds"
    clerk = User.objects.db_manager("default").create_user("carl")
    http = APIClient()
    http.force_authenticate(clerk)
    assert http.post(url, {"amount": 1, "reason": "late"}, format="json").status_code == 403
    assert guest.http.post(url, {"amount": 1, "reason": "late"}, format="json").status_code == 401
    assert http.get(url).status_code == 403


def test_an_amount_above_the_limit_needs_the_higher_permission(sale: Sale, settings: Any) -> None:
    settings.CONSOLE_APPROVAL_AMOUNT = 1000
    clerk = User.objects.db_manager("default").create_user("carl")
    clerk.user_permissions.add(Permission.objects.using("default").get(codename="refund_order"))
    http = APIClient()
    http.force_authenticate(User.objects.using("default").get(pk=clerk.pk))
    carl = Staff(clerk, http)
    assert_problem(carl.refund(sale, amount=1001), 403, "refund-above-limit")
    assert carl.refund(sale, amount=1000).status_code == 202
