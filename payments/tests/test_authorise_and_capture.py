"""Money may be authorised first and captured later; until then, taking it back costs nothing."""

import pytest

from payments import services
from payments.models import DATABASE, Kind, OperationStatus, Receipt, Status
from payments.tests.checkout import TOTAL, Checkout
from payments.tests.provider import FakeProvider
from payments.tests.staging import Killed, Moment, Stage, Worker
from sagas.participant.receipts import AlreadyCompensated

pytestmark = pytest.mark.django_db(databases=["default", DATABASE], transaction=True)


def _authorised(token: str = "tok_success") -> Checkout:
    checkout = Checkout(token=token)
    checkout.authorise()
    return checkout


def _captured_once(checkout: Checkout, provider: FakeProvider) -> bool:
    return (
        checkout.payment.status == Status.SUCCEEDED
        and checkout.money.captured == TOTAL
        and len(provider.captures(checkout.intent)) == 1
    )


def _voided(checkout: Checkout, provider: FakeProvider) -> bool:
    intent = provider.get(f"/v1/payment_intents/{checkout.intent}")
    return (
        checkout.payment.status == Status.CANCELLED
        and (intent["status"], intent["amount_capturable"]) == ("canceled", 0)
        and provider.captures(checkout.intent) == []
        and provider.begun("refund", checkout.intent) == 0
    )


def test_an_authorisation_holds_the_amount_and_takes_nothing(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_success")
    result = checkout.authorise()
    payment = checkout.payment
    assert result == {"payment_id": str(payment.pk), "authorised": TOTAL, "currency": "EUR"}
    assert checkout.authorise() == result
    assert payment.status == Status.AUTHORISED
    assert provider.captures(payment.provider_ref) == []
    assert checkout.money == services.Money(authorised=TOTAL, currency="EUR")


def test_a_capture_takes_it_once_and_a_repeat_calls_nobody(provider: FakeProvider) -> None:
    checkout = _authorised()
    result = checkout.capture()
    assert result == {
        "payment_id": str(checkout.payment.pk),
        "charged": TOTAL,
        "currency": "EUR",
    }
    assert _captured_once(checkout, provider)
    assert checkout.money == services.Money(captured=TOTAL, refundable=TOTAL, currency="EUR")
    heard = len(provider.events("request"))
    assert checkout.capture() == result
    assert checkout.authorise()["authorised"] == TOTAL
    assert len(provider.events("request")) == heard
    kinds = [Kind.INTENT, Kind.CHARGE, Kind.CAPTURE]
    rows = [row for kind in kinds for row in checkout.operations(kind)]
    assert [row.status for row in rows] == [OperationStatus.SUCCEEDED] * 3


def test_an_undo_before_the_capture_voids(provider: FakeProvider) -> None:
    checkout = _authorised()
    assert checkout.reverse() == {"cancelled": True}
    assert checkout.reverse() == {"cancelled": True}
    assert _voided(checkout, provider)
    for late in (checkout.authorise, checkout.capture):
        with pytest.raises(AlreadyCompensated):
            late()


def test_an_undo_after_the_capture_refunds(provider: FakeProvider) -> None:
    checkout = _authorised()
    checkout.capture()
    assert checkout.reverse() == {"refunded": TOTAL}
    receipts = Receipt.objects.using(DATABASE).filter(saga_id=checkout.saga_id)
    assert all(receipt.undone_at for receipt in receipts)
    assert {r.step for r in receipts} == {"begin_charge", "authorise_payment", "capture_payment"}


@pytest.mark.parametrize("token", ["tok_declined", "tok_insufficient_funds"])
def test_an_authorisation_may_be_declined(provider: FakeProvider, token: str) -> None:
    checkout = Checkout(token=token)
    with pytest.raises(services.CardDeclined):
        checkout.authorise()
    assert checkout.reverse() == {"cancelled": True}


@pytest.mark.parametrize("token", ["tok_reply_lost", "tok_500_after", "tok_500_before"])
def test_an_authorisation_in_doubt_is_asked_for(provider: FakeProvider, token: str) -> None:
    checkout = Checkout(token=token)
    with pytest.raises(services.PaymentInDoubt):
        checkout.authorise()
    assert checkout.money.in_doubt
    assert checkout.authorise()["authorised"] == TOTAL
    assert not checkout.money.in_doubt


def test_an_authorisation_in_doubt_is_voided(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_reply_lost")
    with pytest.raises(services.PaymentInDoubt):
        checkout.authorise()
    assert checkout.reverse() == {"cancelled": True}
    assert _voided(checkout, provider)


@pytest.mark.parametrize(
    ("token", "sent"),
    [("tok_capture_500_once", 2), ("tok_capture_500_after", 1), ("tok_capture_reply_lost", 1)],
)
def test_a_capture_in_doubt_is_asked_for(provider: FakeProvider, token: str, sent: int) -> None:
    checkout = _authorised(token)
    with pytest.raises(services.PaymentInDoubt):
        checkout.capture()
    assert checkout.payment.status == Status.CAPTURING
    assert checkout.money.in_doubt
    assert checkout.capture()["charged"] == TOTAL
    assert _captured_once(checkout, provider)
    assert provider.begun("capture", checkout.intent) == sent


def test_a_capture_in_doubt_is_undone(provider: FakeProvider) -> None:
    checkout = _authorised("tok_capture_reply_lost")
    with pytest.raises(services.PaymentInDoubt):
        checkout.capture()
    assert checkout.reverse() == {"refunded": TOTAL}
    assert provider.refunded(checkout.intent) == TOTAL


def test_an_authorisation_that_is_gone_is_a_refusal_and_stays_one(provider: FakeProvider) -> None:
    checkout = _authorised("tok_capture_refused")
    for _ in range(2):
        with pytest.raises(services.AuthorisationLost):
            checkout.capture()
    assert checkout.payment.status == Status.DECLINED
    assert checkout.money == services.Money(currency="EUR")
    assert checkout.reverse() == {"cancelled": True}


def test_nothing_is_captured_that_was_not_authorised(provider: FakeProvider) -> None:
    charged = Checkout(token="tok_success")
    charged.charge()
    for checkout in (charged, Checkout(token="tok_success")):
        with pytest.raises(services.NothingAuthorised):
            checkout.capture()


def test_a_capture_that_staff_made_in_the_dashboard_counts(provider: FakeProvider) -> None:
    checkout = _authorised()
    provider.post(f"/v1/payment_intents/{checkout.intent}/capture").raise_for_status()
    assert services.settle(payment_id=checkout.payment.pk) == Status.SUCCEEDED
    assert checkout.capture()["charged"] == TOTAL
    assert _captured_once(checkout, provider)


@pytest.mark.parametrize("moment", list(Moment))
def test_a_worker_killed_in_the_capture_captures_once(
    provider: FakeProvider, stage: Stage, moment: Moment
) -> None:
    checkout = _authorised()
    stage.kill("capture", moment)
    with pytest.raises(Killed):
        checkout.capture()
    assert checkout.capture()["charged"] == TOTAL
    assert _captured_once(checkout, provider)


@pytest.mark.parametrize("moment", list(Moment))
def test_a_frozen_capture_that_wakes_after_the_undo_takes_nothing(
    provider: FakeProvider, stage: Stage, moment: Moment
) -> None:
    """Guards: the provider's cancel, and the row's REVERSING."""
    checkout = _authorised()
    frozen = stage.freeze("capture", moment)
    worker = Worker(checkout.capture)
    assert frozen.arrived.wait(20)
    undone = checkout.reverse()
    frozen.wake()
    assert isinstance(worker.end().error, AlreadyCompensated)
    if moment is Moment.BEFORE:
        assert undone == {"cancelled": True}
        assert _voided(checkout, provider)
    else:
        assert undone == {"refunded": TOTAL}
        assert provider.refunded(checkout.intent) == TOTAL


def test_two_captures_at_once_capture_once(provider: FakeProvider, stage: Stage) -> None:
    """Guard: both send one idempotency key, and the intent captures once."""
    checkout = _authorised()
    frozen = stage.freeze("capture", Moment.BEFORE)
    first = Worker(checkout.capture)
    assert frozen.arrived.wait(20)
    ends = [worker.end() for worker in [Worker(checkout.capture) for _ in range(5)]]
    frozen.wake()
    for end in [*ends, first.end()]:
        assert end.error is None or isinstance(end.error, services.PaymentInDoubt)
    checkout.capture()
    assert _captured_once(checkout, provider)
    assert len(checkout.operations(Kind.CAPTURE)) == 1
