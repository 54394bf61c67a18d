"""A part goes back once, never more than is left, and every answer that goes wrong is asked for."""

from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connections, transaction
from django.db.models import F

from payments import aftermath, rows, services
from payments.gateways.registry import gateway
from payments.models import DATABASE, PartialRefund, PartStatus, Payment, Status
from payments.tests.checkout import TOTAL, Checkout
from payments.tests.provider import FakeProvider
from sagas.participant.receipts import AlreadyCompensated

pytestmark = pytest.mark.django_db(databases=["default", DATABASE], transaction=True)

PART = 1500


def paid(token: str = "tok_success") -> Checkout:
    checkout = Checkout(token=token)
    checkout.charge()
    return checkout


def give_back(checkout: Checkout, saga_id: UUID, amount: int = PART) -> services.Result:
    return services.refund_part(saga_id=saga_id, checkout_id=checkout.saga_id, amount=amount)


def part_of(saga_id: UUID) -> PartialRefund:
    return PartialRefund.objects.using(DATABASE).get(saga_id=saga_id)


def test_a_part_goes_back_once_and_the_payment_stands(provider: FakeProvider) -> None:
    checkout, saga_id = paid(), uuid4()
    first = give_back(checkout, saga_id)
    assert give_back(checkout, saga_id) == first
    assert (first["refunded"], first["currency"]) == (PART, "EUR")
    payment = checkout.payment
    assert (payment.status, payment.refunded, payment.refund_pending) == ("SUCCEEDED", PART, 0)
    assert provider.refunded(checkout.intent) == PART
    assert checkout.money.refundable == TOTAL - PART


def test_two_parts_can_be_all_of_it(provider: FakeProvider) -> None:
    checkout = paid()
    give_back(checkout, uuid4())
    give_back(checkout, uuid4(), TOTAL - PART)
    assert (checkout.payment.status, checkout.payment.refunded) == (Status.REFUNDED, TOTAL)
    assert provider.refunded(checkout.intent) == TOTAL


def test_more_than_is_left_is_refused_and_nothing_is_sent(provider: FakeProvider) -> None:
    checkout = paid()
    give_back(checkout, uuid4())
    with pytest.raises(services.NotRefundable, match="3499 EUR are left"):
        give_back(checkout, uuid4(), TOTAL - PART + 1)
    assert provider.begun("refund", checkout.intent) == 1
    assert checkout.payment.refund_pending == 0


def test_the_database_refuses_what_would_give_back_too_much(provider: FakeProvider) -> None:
    """Guard: CHECK refunded + refund_pending <= captured."""
    checkout = paid()
    give_back(checkout, uuid4())
    rows = Payment.objects.using(DATABASE).filter(pk=checkout.payment.pk)
    with pytest.raises(IntegrityError, match="payments_refunds_fit_the_capture"):
        rows.update(refund_pending=F("captured") - PART + 1)
    connections[DATABASE].close()


def test_what_is_under_way_is_set_aside(provider: FakeProvider) -> None:
    """Guard: the amount is set aside before the provider is asked."""
    checkout, slow = paid("tok_refund_late_2"), uuid4()
    with pytest.raises(services.RefundPending):
        give_back(checkout, slow, TOTAL - 100)
    assert checkout.payment.refund_pending == TOTAL - 100
    with pytest.raises(services.NotRefundable):
        give_back(checkout, uuid4(), 101)
    provider.advance()
    assert give_back(checkout, slow, TOTAL - 100)["refunded"] == TOTAL - 100
    assert provider.begun("refund", checkout.intent) == 1


@pytest.mark.parametrize("token", ["tok_refund_reply_lost", "tok_refund_500_after"])
def test_an_answer_that_went_wrong_is_looked_for(provider: FakeProvider, token: str) -> None:
    checkout, saga_id = paid(token), uuid4()
    with pytest.raises(services.PaymentInDoubt):
        give_back(checkout, saga_id)
    assert give_back(checkout, saga_id)["refunded"] == PART
    assert provider.begun("refund", checkout.intent) == 1
    assert provider.refunded(checkout.intent) == PART


def test_a_stored_500_gets_a_new_key(provider: FakeProvider) -> None:
    checkout, saga_id = paid("tok_refund_500_once"), uuid4()
    with pytest.raises(services.PaymentInDoubt):
        give_back(checkout, saga_id)
    assert give_back(checkout, saga_id)["refunded"] == PART
    assert part_of(saga_id).generation == 2
    assert provider.refunded(checkout.intent) == PART


def test_a_refused_part_frees_what_was_set_aside(provider: FakeProvider) -> None:
    checkout, saga_id = paid("tok_refund_refused"), uuid4()
    for _ in range(2):
        with pytest.raises(services.RefundRefused):
            give_back(checkout, saga_id)
    assert (part_of(saga_id).status, checkout.payment.refund_pending) == (PartStatus.FAILED, 0)
    assert checkout.money.refundable == TOTAL


def test_one_that_was_stopped_is_never_made(provider: FakeProvider) -> None:
    """Guard: the tombstone of ``begin_refund``."""
    checkout, saga_id = paid(), uuid4()
    assert services.stop_refund(saga_id=saga_id) == {}
    with pytest.raises(AlreadyCompensated):
        give_back(checkout, saga_id)
    assert provider.begun("refund", checkout.intent) == 0


def test_stopping_one_whose_answer_was_lost_finds_that_it_stands(provider: FakeProvider) -> None:
    checkout, saga_id = paid("tok_refund_reply_lost"), uuid4()
    with pytest.raises(services.PaymentInDoubt):
        give_back(checkout, saga_id)
    assert services.stop_refund(saga_id=saga_id) == {"stands": PART}
    assert services.part_stands(saga_id=saga_id)
    assert checkout.payment.refunded == PART


def test_stopping_one_that_was_not_made_frees_what_was_set_aside(provider: FakeProvider) -> None:
    checkout, saga_id = paid("tok_refund_500_once"), uuid4()
    with pytest.raises(services.PaymentInDoubt):
        give_back(checkout, saga_id)
    assert services.stop_refund(saga_id=saga_id) == {"stopped": PART}
    assert services.stop_refund(saga_id=saga_id) == {"stopped": PART}
    assert (checkout.payment.refund_pending, provider.refunded(checkout.intent)) == (0, 0)
    with pytest.raises(AlreadyCompensated):
        give_back(checkout, saga_id)


def test_the_rest_goes_back_when_the_whole_payment_is_reversed(provider: FakeProvider) -> None:
    checkout = paid()
    give_back(checkout, uuid4())
    assert checkout.reverse() == {"refunded": TOTAL}
    assert provider.refunded(checkout.intent) == TOTAL
    assert checkout.payment.status == Status.REFUNDED


def test_a_part_in_doubt_and_a_reversal_give_back_no_more_than_was_paid(
    provider: FakeProvider,
) -> None:
    """The reversal finds the part that nobody knew of, and sends the rest only."""
    checkout, saga_id = paid("tok_refund_reply_lost"), uuid4()
    with pytest.raises(services.PaymentInDoubt):
        give_back(checkout, saga_id)
    assert checkout.reverse() == {"refunded": TOTAL}
    assert provider.refunded(checkout.intent) == TOTAL
    assert part_of(saga_id).status == PartStatus.SUCCEEDED
    assert give_back(checkout, saga_id)["refunded"] == PART


def test_a_part_that_was_not_made_before_a_reversal_never_is(provider: FakeProvider) -> None:
    checkout, saga_id = paid("tok_refund_500_once"), uuid4()
    with pytest.raises(services.PaymentInDoubt):
        give_back(checkout, saga_id)
    assert checkout.reverse() == {"refunded": TOTAL}
    with pytest.raises(services.RefundRefused, match="payment-refunded"):
        give_back(checkout, saga_id)
    assert provider.refunded(checkout.intent) == TOTAL
    assert checkout.payment.refund_pending == 0


def test_a_webhook_that_comes_before_our_own_record_counts_the_part_once(
    provider: FakeProvider,
) -> None:
    """Guard: the aftermath settles our own part in the transaction that counts it."""
    checkout, saga_id = paid("tok_refund_reply_lost"), uuid4()
    with pytest.raises(services.PaymentInDoubt):
        give_back(checkout, saga_id)
    aftermath.learn(checkout.payment)
    assert give_back(checkout, saga_id)["refunded"] == PART
    assert (checkout.payment.refunded, checkout.payment.refund_pending) == (PART, 0)


def test_a_call_that_was_frozen_until_after_the_stop_is_found_and_told_of(
    provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    checkout, saga_id = paid("tok_refund_500_once"), uuid4()
    with pytest.raises(services.PaymentInDoubt):
        give_back(checkout, saga_id)
    part = part_of(saga_id)
    services.stop_refund(saga_id=saga_id)
    body = {
        "payment_intent": checkout.intent,
        "amount": PART,
        "metadata": {"operation_id": str(part.pk)},
    }
    provider.post("/v1/refunds", body, key="thawed").raise_for_status()
    aftermath.learn(checkout.payment)
    assert checkout.payment.refunded == PART
    assert part_of(saga_id).status == PartStatus.SUCCEEDED
    assert "part_came_late" in caplog.text


def test_a_list_of_refunds_that_is_older_than_our_books_changes_nothing(
    provider: FakeProvider,
) -> None:
    """Guard: ``parts.must_be_recent``; without it the older sum would overwrite ours."""
    checkout = paid()
    before = gateway("fake").refunds_of(ref=checkout.intent)
    give_back(checkout, uuid4())
    with pytest.raises(services.PaymentInDoubt), transaction.atomic(using=DATABASE):
        aftermath._keep_refunds(rows.lock(checkout.payment.pk), before)
    assert checkout.payment.refunded == PART


def test_all_of_it_refunded_elsewhere_ends_a_part_that_was_under_way(
    provider: FakeProvider,
) -> None:
    checkout, saga_id = paid("tok_refund_500_once"), uuid4()
    with pytest.raises(services.PaymentInDoubt):
        give_back(checkout, saga_id)
    provider.post("/v1/refunds", {"payment_intent": checkout.intent}).raise_for_status()
    services.settle(payment_id=checkout.payment.pk)
    assert (checkout.payment.status, checkout.payment.refund_pending) == (Status.REFUNDED, 0)
    with pytest.raises(services.RefundRefused, match="payment-refunded"):
        give_back(checkout, saga_id)
    assert provider.refunded(checkout.intent) == TOTAL


def test_what_does_not_fit_beside_a_part_under_way_is_recorded_once_that_is_settled(
    provider: FakeProvider,
) -> None:
    """``parts.must_fit``: without it the CHECK would end the question as an error of ours."""
    checkout, saga_id = paid("tok_refund_500_once"), uuid4()
    with pytest.raises(services.PaymentInDoubt):
        give_back(checkout, saga_id)
    elsewhere = TOTAL - PART + 1
    body = {"payment_intent": checkout.intent, "amount": elsewhere}
    provider.post("/v1/refunds", body).raise_for_status()
    with pytest.raises(services.PaymentInDoubt, match="does not fit"):
        services.settle(payment_id=checkout.payment.pk)
    with pytest.raises(services.RefundRefused):
        give_back(checkout, saga_id)
    services.settle(payment_id=checkout.payment.pk)
    assert (checkout.payment.refunded, checkout.payment.refund_pending) == (elsewhere, 0)
