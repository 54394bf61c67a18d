"""A refund whose answer went wrong is looked for before another is sent; a no is named."""

import pytest

from payments import services
from payments.models import DATABASE, Kind, OperationStatus, Status
from payments.tests.checkout import TOTAL, Checkout
from payments.tests.provider import FakeProvider
from payments.tests.staging import Moment, Stage, Worker

pytestmark = pytest.mark.django_db(databases=["default", DATABASE], transaction=True)


@pytest.mark.parametrize("token", ["tok_refund_reply_lost", "tok_refund_500_after"])
def test_a_refund_whose_answer_went_wrong_is_found_and_not_sent_again(
    provider: FakeProvider, token: str
) -> None:
    checkout = Checkout(token=token)
    checkout.charge()
    with pytest.raises(services.PaymentInDoubt):
        checkout.reverse()
    assert checkout.money == services.Money(captured=TOTAL, currency="EUR")
    assert checkout.reverse() == {"refunded": TOTAL}
    assert provider.begun("refund", checkout.intent) == 1
    assert provider.refunded(checkout.intent) == TOTAL
    (operation,) = checkout.operations(Kind.REFUND)
    assert operation.status == OperationStatus.SUCCEEDED
    assert operation.provider_ref.startswith("re_")


def test_a_refund_that_was_a_stored_500_gets_a_new_key(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_refund_500_once")
    checkout.charge()
    with pytest.raises(services.PaymentInDoubt):
        checkout.reverse()
    assert checkout.reverse() == {"refunded": TOTAL}
    spent, used = checkout.operations(Kind.REFUND)
    assert (spent.status, used.status) == (OperationStatus.FAILED, OperationStatus.SUCCEEDED)
    assert spent.idempotency_key != used.idempotency_key
    assert provider.refunded(checkout.intent) == TOTAL


def test_a_refused_refund_is_named_and_the_money_stays_visible(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_refund_refused")
    checkout.charge()
    for _ in range(2):
        with pytest.raises(services.RefundRefused):
            checkout.reverse()
    assert checkout.payment.status == Status.REVERSING
    assert checkout.money == services.Money(captured=TOTAL, currency="EUR")
    refused = checkout.operations(Kind.REFUND)
    assert [o.status for o in refused] == [OperationStatus.FAILED] * 2
    assert {o.error_code for o in refused} == {"charge_disputed"}


def test_an_operator_may_try_a_refused_refund_again(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_refund_refused_once")
    checkout.charge()
    with pytest.raises(services.RefundRefused):
        checkout.reverse()
    assert checkout.reverse() == {"refunded": TOTAL}
    assert provider.refunded(checkout.intent) == TOTAL


def test_a_refund_made_by_hand_is_found_and_recorded(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_refund_refused_once")
    checkout.charge()
    with pytest.raises(services.RefundRefused):
        checkout.reverse()
    provider.post("/v1/refunds", {"payment_intent": checkout.intent}).raise_for_status()
    assert checkout.reverse() == {"refunded": TOTAL}
    assert provider.refunded(checkout.intent) == TOTAL


def test_after_a_part_given_back_by_hand_only_the_rest_is_sent(provider: FakeProvider) -> None:
    """Guard: the question before the refund; all of it would be refused as too much."""
    checkout = Checkout(token="tok_success")
    checkout.charge()
    part = {"payment_intent": checkout.intent, "amount": str(TOTAL - 1)}
    provider.post("/v1/refunds", part).raise_for_status()
    assert checkout.reverse() == {"refunded": TOTAL}
    assert provider.refunded(checkout.intent) == TOTAL


def test_a_refund_that_another_made_in_between_is_recorded(
    provider: FakeProvider, stage: Stage
) -> None:
    """Guard: the provider gives back no more than it captured."""
    checkout = Checkout(token="tok_success")
    checkout.charge()
    frozen = stage.freeze("refund", Moment.BEFORE)
    worker = Worker(checkout.reverse)
    assert frozen.arrived.wait(20)
    provider.post("/v1/refunds", {"payment_intent": checkout.intent}).raise_for_status()
    frozen.wake()
    assert worker.end().result == {"refunded": TOTAL}
    assert provider.refunded(checkout.intent) == TOTAL


def test_a_pending_refund_is_waited_for_and_not_sent_again(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_refund_late_600")
    checkout.charge()
    for _ in range(2):
        with pytest.raises(services.PaymentInDoubt):
            checkout.reverse()
    assert checkout.money == services.Money(captured=TOTAL, currency="EUR")
    provider.advance()
    assert checkout.reverse() == {"refunded": TOTAL}
    assert provider.begun("refund", checkout.intent) == 1


def test_a_refund_that_fails_at_the_bank_is_named_and_may_be_tried_again(
    provider: FakeProvider,
) -> None:
    checkout = Checkout(token="tok_refund_fails_600")
    checkout.charge()
    with pytest.raises(services.PaymentInDoubt):
        checkout.reverse()
    provider.advance()
    with pytest.raises(services.RefundRefused):
        checkout.reverse()
    assert checkout.operations(Kind.REFUND)[-1].error_code == "refund-failed"
    with pytest.raises(services.PaymentInDoubt):
        checkout.reverse()
    assert provider.begun("refund", checkout.intent) == 2


def test_settling_a_reversal_ends_it(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_refund_reply_lost")
    checkout.charge()
    with pytest.raises(services.PaymentInDoubt):
        checkout.reverse()
    assert services.settle(payment_id=checkout.payment.pk) == Status.REFUNDED


def test_to_ask_about_a_captured_payment_records_what_was_refunded_elsewhere(
    provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    checkout = Checkout(token="tok_success")
    checkout.charge()
    body = {"payment_intent": checkout.intent, "amount": 300}
    for given_back in (300, 600):
        provider.post("/v1/refunds", body).raise_for_status()
        assert services.settle(payment_id=checkout.payment.pk) == Status.SUCCEEDED
        assert checkout.money.refunded == given_back
    assert services.settle(payment_id=checkout.payment.pk) == Status.SUCCEEDED
    assert caplog.text.count("refunded_elsewhere") == 2
    rest = {**body, "amount": TOTAL - 600}
    provider.post("/v1/refunds", rest).raise_for_status()
    assert services.settle(payment_id=checkout.payment.pk) == Status.REFUNDED
    assert checkout.money.refunded == TOTAL
    assert provider.begun("refund", checkout.intent) == 3, "none of them was ours"
