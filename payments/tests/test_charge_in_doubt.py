"""An unknown outcome is asked for, never read as a failure, never charged twice."""

import pytest
from pytest_django.fixtures import Settings

from payments import services
from payments.models import DATABASE, Kind, OperationStatus, Status
from payments.tests.checkout import TOTAL, Checkout
from payments.tests.provider import FakeProvider
from payments.tests.staging import Killed, Moment, Stage, Worker

pytestmark = pytest.mark.django_db(databases=["default", DATABASE], transaction=True)


_CREATE = ("POST", "/v1/payment_intents")


def _charged_once(checkout: Checkout, provider: FakeProvider) -> bool:
    return (
        checkout.payment.status == Status.SUCCEEDED
        and checkout.money.captured == TOTAL
        and len(provider.captures(checkout.intent)) == 1
    )


@pytest.mark.parametrize("token", ["tok_reply_lost", "tok_500_after"])
def test_a_capture_whose_answer_went_wrong_is_found(provider: FakeProvider, token: str) -> None:
    checkout = Checkout(token=token)
    with pytest.raises(services.PaymentInDoubt):
        checkout.charge()
    assert checkout.payment.status == Status.IN_DOUBT
    assert checkout.money.in_doubt
    assert checkout.charge()["charged"] == TOTAL
    assert provider.begun("confirm", checkout.intent) == 1
    assert _charged_once(checkout, provider)
    assert not checkout.money.in_doubt


def test_a_stored_500_gets_a_new_key(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_500_before")
    with pytest.raises(services.PaymentInDoubt):
        checkout.charge()
    assert checkout.charge()["charged"] == TOTAL
    spent, used = checkout.operations(Kind.CHARGE)
    assert spent.status == OperationStatus.FAILED
    assert spent.key_spent
    assert used.status == OperationStatus.SUCCEEDED
    assert used.idempotency_key != spent.idempotency_key
    assert _charged_once(checkout, provider)


def test_a_late_success_is_waited_for(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_late_success_600")
    for _ in range(2):
        with pytest.raises(services.PaymentInDoubt):
            checkout.charge()
    assert provider.begun("confirm", checkout.intent) == 1
    provider.advance()
    assert checkout.charge()["charged"] == TOTAL
    assert _charged_once(checkout, provider)


def test_a_late_decline_is_a_refusal(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_late_decline_600")
    with pytest.raises(services.PaymentInDoubt):
        checkout.charge()
    provider.advance()
    with pytest.raises(services.CardDeclined):
        checkout.charge()
    assert checkout.payment.status == Status.DECLINED


def test_a_time_out_is_a_doubt(provider: FakeProvider, settings: Settings) -> None:
    settings.PAYMENT_READ_TIMEOUT = 0.3
    checkout = Checkout(token="tok_slow_600")
    with pytest.raises(services.PaymentInDoubt):
        checkout.charge()
    # The same key again, while the provider still works on the first request.
    with pytest.raises(services.PaymentInDoubt):
        checkout.charge()
    assert len(checkout.operations(Kind.CHARGE)) == 1
    provider.advance()
    settings.PAYMENT_READ_TIMEOUT = 20.0
    _repeat_until_certain(checkout)
    assert _charged_once(checkout, provider)


def test_a_provider_that_cannot_be_reached_is_transient(
    provider: FakeProvider, settings: Settings
) -> None:
    checkout = Checkout(token="tok_success")
    settings.FAKE_PROVIDER_URL = "http://127.0.0.1:9"
    with pytest.raises(services.PaymentUnavailable):
        checkout.charge()
    settings.FAKE_PROVIDER_URL = provider.url
    assert checkout.charge()["charged"] == TOTAL
    assert _charged_once(checkout, provider)


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("verb", ["create_intent", "confirm"])
@pytest.mark.parametrize("token", ["tok_success", "tok_reply_lost"])
def test_a_worker_killed_at_any_point_of_a_charge_charges_once(
    provider: FakeProvider, stage: Stage, verb: str, moment: Moment, token: str
) -> None:
    checkout = Checkout(token=token)
    stage.kill(verb, moment)
    with pytest.raises((Killed, services.PaymentInDoubt)):
        checkout.charge()
    stage.cues.clear()  # a lost reply comes before the moment after it
    _repeat_until_certain(checkout)
    assert _charged_once(checkout, provider)


def test_the_charge_and_its_key_are_committed_before_the_first_call(
    provider: FakeProvider, stage: Stage
) -> None:
    """Guard: the intent's row; a worker that dies in its first call leaves it behind."""
    checkout = Checkout(token="tok_success")
    stage.kill("create_intent", Moment.BEFORE)
    with pytest.raises(Killed):
        checkout.charge()
    assert checkout.payment.status == Status.CREATED
    (charge,) = checkout.operations(Kind.CHARGE)
    assert (charge.status, charge.amount) == (OperationStatus.PENDING, TOTAL)
    assert charge.idempotency_key


def test_a_repeat_asks_before_it_makes_an_intent(provider: FakeProvider, stage: Stage) -> None:
    """Guard: the question by our own id; the provider forgets keys in time."""
    checkout = Checkout(token="tok_success")
    stage.kill("create_intent", Moment.AFTER)
    with pytest.raises(Killed):
        checkout.charge()
    heard = len(_asked_for_intents(provider))
    checkout.charge()
    assert len(_asked_for_intents(provider)) == heard
    assert _charged_once(checkout, provider)


def _asked_for_intents(provider: FakeProvider) -> list[object]:
    requests = provider.events("request")
    return [each for each in requests if (each["method"], each["path"]) == _CREATE]


def test_two_workers_at_once_charge_once(provider: FakeProvider) -> None:
    """Guard: both send one idempotency key, and the intent captures once."""
    checkout = Checkout(token="tok_success")
    workers = [Worker(checkout.charge) for _ in range(8)]
    ends = [worker.end() for worker in workers]
    assert all(w.error is None or isinstance(w.error, services.PaymentInDoubt) for w in ends)
    _repeat_until_certain(checkout)
    assert _charged_once(checkout, provider)
    assert len(checkout.operations(Kind.CHARGE)) == 1


def test_two_workers_with_different_keys_charge_once(provider: FakeProvider, stage: Stage) -> None:
    """Guard: the intent's own state machine; the first key's 500 makes the second one differ."""
    checkout = Checkout(token="tok_500_before")
    with pytest.raises(services.PaymentInDoubt):
        checkout.charge()
    frozen = stage.freeze("confirm", Moment.BEFORE)
    slow = Worker(checkout.charge)
    assert frozen.arrived.wait(20)
    assert checkout.charge()["charged"] == TOTAL
    frozen.wake()
    assert slow.end().error is None
    assert _charged_once(checkout, provider)


def test_a_worker_that_froze_before_it_asked_sends_no_key_that_was_spent_meanwhile(
    provider: FakeProvider, stage: Stage
) -> None:
    """Guard: a charge goes out as it was begun only while nobody else has asked for the money."""
    checkout = Checkout(token="tok_500_before")
    frozen = stage.freeze("create_intent", Moment.AFTER)
    slow = Worker(checkout.charge)
    assert frozen.arrived.wait(20)
    with pytest.raises(services.PaymentInDoubt):
        checkout.charge()
    frozen.wake()
    assert slow.end().error is None
    assert [charge.key_spent for charge in checkout.operations(Kind.CHARGE)] == [True, False]
    assert _charged_once(checkout, provider)


def test_settling_records_what_the_provider_says(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_reply_lost")
    with pytest.raises(services.PaymentInDoubt):
        checkout.charge()
    assert services.settle(payment_id=checkout.payment.pk) == Status.SUCCEEDED
    assert _charged_once(checkout, provider)
    assert checkout.charge()["charged"] == TOTAL


def test_settling_never_asks_for_money(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_500_before")
    with pytest.raises(services.PaymentInDoubt):
        checkout.charge()
    assert services.settle(payment_id=checkout.payment.pk) == Status.IN_DOUBT
    assert provider.begun("confirm", checkout.intent) == 1


def _repeat_until_certain(checkout: Checkout) -> None:
    """Retry as the saga does."""
    for _ in range(1000):
        try:
            checkout.charge()
        except services.PaymentInDoubt:
            continue
        return
    raise AssertionError("the doubt never ended")
