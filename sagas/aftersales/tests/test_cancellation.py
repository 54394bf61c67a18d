"""A paid order is cancelled once, all of it, unless the goods have left."""

import pytest
from django.contrib.auth.models import User
from django.db.models import F

from notifications.tests.conftest import MailServer
from orders import services as orders
from orders.models import Order
from payments.tests.provider import FakeProvider
from sagas import operations, verbs
from sagas.aftersales.tests.conftest import TOTAL, Sale, follower, sell
from sagas.checkout.tests.auditing import told
from sagas.checkout.tests.shopping import Shopper, assert_problem, id_of
from sagas.console.actions import VERBS, offer_of
from sagas.console.preview import verdict_of
from sagas.mandates import Mandate
from sagas.models import Saga
from sagas.tests.conftest import NOBODY, drive, let_time_pass

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


def test_all_is_given_back_and_the_shopper_is_told(
    sale: Sale, provider: FakeProvider, smtp: MailServer
) -> None:
    answer = sale.cancel()
    assert (answer.status_code, answer.json()["status"]) == (202, "processing")
    assert told() == [], "what is under way is no fault"
    saga = drive(follower(sale, "cancellation").pk)
    assert saga.state == "COMPLETE"
    assert provider.refunded(sale.payment.provider_ref) == TOTAL
    assert (sale.order.status, sale.order.cancel_reason, sale.reserved) == (
        "CANCELLED",
        "cancelled",
        0,
    )
    standing = sale.look().json()
    assert (standing["status"], standing["refunded"]["amount"]) == ("cancelled", TOTAL)
    subjects = [str(mail["Subject"]) for mail in smtp.mails]
    assert subjects[-1].startswith(f"Your order {sale.order.number} is cancelled")
    assert told() == []
    assert verdict_of(saga).sentence.endswith("is cancelled; all of 25.00 EUR was given back.")


def test_asking_twice_cancels_once(sale: Sale, provider: FakeProvider) -> None:
    first, second = sale.cancel().json(), sale.cancel().json()
    assert first["id"] == second["id"]
    drive(follower(sale, "cancellation").pk)
    assert sale.cancel().json()["status"] == "cancelled"
    assert Saga.objects.using("default").filter(kind="cancellation").count() == 1
    assert provider.begun("refund", sale.payment.provider_ref) == 1


def test_a_shipped_order_is_not_cancelled(sale: Sale) -> None:
    orders.ship_order(order_id=sale.order.pk)
    assert_problem(sale.cancel(), 409, "order-not-cancellable")
    assert not Saga.objects.using("default").filter(kind="cancellation").exists()


def test_goods_that_leave_between_the_word_and_its_first_step_are_not_paid_back(
    sale: Sale, provider: FakeProvider
) -> None:
    """Guard: ``hold_order`` refuses what is shipped."""
    sale.cancel()
    orders.ship_order(order_id=sale.order.pk)
    saga = drive(follower(sale, "cancellation").pk)
    assert (saga.state, saga.reason) == ("COMPENSATED", "order-shipped")
    assert (sale.order.status, sale.order.held_by) == ("CONFIRMED", None)
    assert provider.refunded(sale.payment.provider_ref) == 0
    assert sale.look().json()["reason"]["code"] == "order-shipped"
    assert told() == []


def test_an_order_that_is_being_cancelled_is_not_shipped(sale: Sale) -> None:
    sale.cancel()
    drive(follower(sale, "cancellation").pk, until="ORDER_HELD")
    with pytest.raises(orders.OrderHeldBack):
        orders.ship_order(order_id=sale.order.pk)
    assert told() == []


def test_a_cancellation_that_was_refused_can_be_asked_for_again(sale: Sale) -> None:
    sale.cancel()
    saga_id = follower(sale, "cancellation").pk
    verbs.compensate(saga_id, mandate=NOBODY)
    assert drive(saga_id).state == "COMPENSATED"
    again = sale.cancel().json()
    assert again["id"] != str(saga_id)
    assert drive(Saga.objects.using("default").get(pk=again["id"]).pk).state == "COMPLETE"
    assert told() == []


def test_a_refund_that_is_refused_waits_for_a_person_and_is_settled_by_hand(
    outside: None, guest: Shopper
) -> None:
    sale = sell(guest, payment_token="tok_refund_refused")
    sale.cancel()
    saga = drive(follower(sale, "cancellation").pk)
    assert (saga.state, saga.parked) == ("ORDER_HELD", "refused_past_pivot")
    assert [fault[0] for fault in told()] == ["waits-for-a-person"]
    assert sale.order.status == "CONFIRMED"
    verbs.resolve(saga.pk, mandate=Mandate(operator=None, reason="by transfer", reference="TR-1"))
    assert drive(saga.pk).state == "COMPLETE"
    assert (sale.order.status, sale.payment.status) == ("CANCELLED", "REFUNDED")


def test_an_answer_that_is_lost_is_asked_for(
    outside: None, guest: Shopper, provider: FakeProvider
) -> None:
    sale = sell(guest, payment_token="tok_refund_reply_lost")
    sale.cancel()
    saga_id = follower(sale, "cancellation").pk
    assert drive(saga_id).state == "COMPLETE"
    assert provider.begun("refund", sale.payment.provider_ref) == 1


def test_a_checkout_that_is_under_way_is_cancelled_as_a_checkout(
    outside: None, guest: Shopper
) -> None:
    placed = guest.place()
    drive(id_of(placed), until="ORDER_CONFIRMED")
    answer = Sale(guest, placed).cancel()
    assert_problem(answer, 409, "order-not-cancellable")


def test_another_shoppers_order_does_not_exist(sale: Sale, guest: Shopper) -> None:
    other = sell(guest)
    url = f"/api/v1/orders/{sale.order.number}/cancellation"
    proof = {"Authorization": f"Order {other.placed.json()['order_token']}"}
    assert guest.http.post(url, headers=proof).status_code == 404
    assert guest.http.post(url).status_code == 401
    assert sale.look().status_code == 404


def test_a_worker_that_died_in_any_step_is_taken_over(sale: Sale, provider: FakeProvider) -> None:
    """Guard: receipts; each step is done a second time, with its first result unsaved."""
    sale.cancel()
    saga_id = follower(sale, "cancellation").pk
    while Saga.objects.using("default").get(pk=saga_id).state != "COMPLETE":
        saga = Saga.objects.using("default").get(pk=saga_id)
        step = saga.definition.step(saga.due_step)
        step.do(saga.context)
        let_time_pass(saga_id)
        operations.dispatch(saga_id)
        before = saga.state
        drive(saga_id, until=step.reaches)
        assert Saga.objects.using("default").get(pk=saga_id).state != before
    assert provider.refunded(sale.payment.provider_ref) == TOTAL
    assert Order.objects.using("orders").get(pk=sale.order.pk).status == "CANCELLED"
    assert told() == []


def test_a_cancellation_past_its_pivot_is_not_turned_back(sale: Sale) -> None:
    sale.cancel()
    saga = drive(follower(sale, "cancellation").pk)
    with pytest.raises(operations.TooLate, match="not taken back"):
        verbs.compensate(saga.pk, mandate=NOBODY, past_pivot=True)
    offer = offer_of(VERBS["compensate"], saga, verdict_of(saga), User(is_superuser=True))
    assert offer.why_not == "what a cancellation did is not taken back"


def test_a_cancellation_that_the_running_code_does_not_know_is_no_fault_of_the_checkout(
    sale: Sale,
) -> None:
    sale.cancel()
    saga_id = drive(follower(sale, "cancellation").pk).pk
    sagas = Saga.objects.using("default").filter(pk=saga_id)
    sagas.update(version=99, revision=F("revision") + 1)
    assert told() == []


def test_a_cancellation_that_came_to_nothing_offers_no_retry(sale: Sale) -> None:
    sale.cancel()
    saga_id = follower(sale, "cancellation").pk
    verbs.compensate(saga_id, mandate=NOBODY)
    saga = drive(saga_id)
    offer = offer_of(VERBS["retry"], saga, verdict_of(saga), User(is_superuser=True))
    assert offer.why_not == "everything is settled"
