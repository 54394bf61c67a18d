"""A charge happens once, or ends in a definite no."""

from uuid import uuid4

import pytest

from payments import services
from payments.models import DATABASE, Kind, OperationStatus, Payment, Status
from payments.tests.checkout import TOTAL, Checkout
from payments.tests.provider import FakeProvider

pytestmark = pytest.mark.django_db(databases=["default", DATABASE], transaction=True)


def test_a_charge_captures_the_amount_and_says_so(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_success")
    result = checkout.charge()
    payment = checkout.payment
    assert result == {"payment_id": str(payment.pk), "charged": TOTAL, "currency": "EUR"}
    assert [c["amount"] for c in provider.captures(payment.provider_ref)] == [TOTAL]
    assert checkout.money == services.Money(captured=TOTAL, refundable=TOTAL, currency="EUR")
    (operation,) = checkout.operations(Kind.CHARGE)
    assert operation.status == OperationStatus.SUCCEEDED
    assert operation.provider_ref.startswith("ch_")


def test_a_repeated_charge_returns_the_first_result_and_calls_nobody(
    provider: FakeProvider,
) -> None:
    checkout = Checkout(token="tok_success")
    first = checkout.charge()
    heard = len(provider.events("request"))
    assert checkout.charge() == first
    assert len(provider.events("request")) == heard


@pytest.mark.parametrize(
    ("token", "decline_code"),
    [("tok_declined", "generic_decline"), ("tok_insufficient_funds", "insufficient_funds")],
)
def test_a_declined_card_is_a_refusal_and_stays_one(
    provider: FakeProvider, token: str, decline_code: str
) -> None:
    """Guard: the payment's status; nobody is asked once more."""
    checkout = Checkout(token=token)
    with pytest.raises(services.CardDeclined, match=decline_code):
        checkout.charge()
    heard = len(provider.events("request"))
    with pytest.raises(services.CardDeclined, match=decline_code):
        checkout.charge()
    assert len(provider.events("request")) == heard
    assert checkout.payment.status == Status.DECLINED
    assert checkout.payment.decline_code == decline_code
    assert provider.begun("confirm", checkout.intent) == 1
    assert checkout.money == services.Money(currency="EUR")


def test_a_token_that_the_provider_does_not_know_is_a_refusal(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_of_another_shop")
    with pytest.raises(services.CardDeclined) as refusal:
        checkout.charge()
    assert "tok_" not in str(refusal.value)
    assert checkout.payment.decline_code == "resource_missing"


def test_a_charge_without_a_payment_method_leaves_nothing(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_success")
    services.discard_method(checkout_id=checkout.saga_id)
    with pytest.raises(services.PaymentMethodMissing):
        checkout.charge()
    assert not Payment.objects.using(DATABASE).exists()
    assert checkout.reverse() == {}


def test_a_registered_method_is_not_replaced(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_success")
    services.register_method(checkout_id=checkout.saga_id, token="tok_declined")
    assert checkout.charge()["charged"] == TOTAL


def test_a_charge_over_nothing_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        services.charge_payment(saga_id=uuid4(), order_id=uuid4(), amount=0, currency="EUR")


def test_a_saga_without_a_payment_has_no_money() -> None:
    assert services.money_of(saga_id=uuid4()) == services.Money()
