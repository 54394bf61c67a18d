"""A shopper may have to authenticate (3-D Secure): the charge waits, and goes on by itself."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from pytest_django.fixtures import Settings

from payments import services
from payments.models import DATABASE, PaymentAction, Status
from payments.tests.checkout import TOTAL, Checkout
from payments.tests.provider import FakeProvider

pytestmark = pytest.mark.django_db(databases=["default", DATABASE], transaction=True)

TOKEN = "tok_requires_action"


def _waiting(token: str = TOKEN) -> Checkout:
    checkout = Checkout(token=token)
    with pytest.raises(services.PaymentNeedsAction):
        checkout.charge()
    return checkout


def _authenticate(provider: FakeProvider, checkout: Checkout, outcome: str = "success") -> None:
    provider.provoke(f"payment_intents/{checkout.intent}/authenticate", outcome=outcome)


def _actions() -> int:
    return PaymentAction.objects.using(DATABASE).count()


def test_a_charge_says_that_the_shopper_must_act_and_tells_no_secret(
    provider: FakeProvider, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.PAYMENT_RETURN_URL = "https://shop.example/back"
    checkout = Checkout(token=TOKEN)
    with pytest.raises(services.PaymentNeedsAction) as waits:
        checkout.charge()
    assert str(waits.value) == "for the shopper to authenticate"
    assert checkout.payment.status == Status.REQUIRES_ACTION
    assert checkout.money == services.Money(currency="EUR", needs_action=True)
    action = services.action_of(saga_id=checkout.saga_id)
    assert action is not None
    assert action.url.endswith(checkout.intent)
    assert action.client_secret.startswith(f"{checkout.intent}_secret_")
    assert action.client_secret not in caplog.text + repr(action) + repr(checkout.payment)


def test_asking_again_confirms_nothing_again(provider: FakeProvider) -> None:
    checkout = _waiting()
    for _ in range(3):
        with pytest.raises(services.PaymentNeedsAction):
            checkout.charge()
    assert provider.begun("confirm", checkout.intent) == 1
    assert _actions() == 1


def test_once_the_shopper_has_acted_the_charge_is_found_and_the_secret_is_gone(
    provider: FakeProvider,
) -> None:
    checkout = _waiting()
    _authenticate(provider, checkout)
    assert checkout.charge()["charged"] == TOTAL
    assert len(provider.captures(checkout.intent)) == 1
    assert services.action_of(saga_id=checkout.saga_id) is None


@pytest.mark.parametrize(
    ("token", "outcome", "code"),
    [
        (TOKEN, "failure", "payment_intent_authentication_failure"),
        ("tok_requires_action_declined", "success", "generic_decline"),
    ],
)
def test_a_failed_authentication_and_a_later_no_are_declines(
    provider: FakeProvider, token: str, outcome: str, code: str
) -> None:
    checkout = _waiting(token)
    _authenticate(provider, checkout, outcome)
    with pytest.raises(services.CardDeclined):
        checkout.charge()
    assert checkout.payment.decline_code == code
    assert _actions() == 0


def test_whoever_is_undone_while_the_shopper_acts_is_never_charged(provider: FakeProvider) -> None:
    checkout = _waiting()
    assert checkout.reverse() == {"cancelled": True}
    assert _actions() == 0
    late = provider.post(f"/v1/test_helpers/payment_intents/{checkout.intent}/authenticate")
    assert late.status_code == 400
    assert provider.captures(checkout.intent) == []


def test_a_lost_reply_to_the_confirm_is_asked_for(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_requires_action_reply_lost")
    with pytest.raises(services.PaymentInDoubt):
        checkout.charge()
    with pytest.raises(services.PaymentNeedsAction):
        checkout.charge()
    assert services.action_of(saga_id=checkout.saga_id) is not None


def test_an_authorisation_waits_the_same_way(provider: FakeProvider) -> None:
    checkout = Checkout(token=TOKEN)
    with pytest.raises(services.PaymentNeedsAction):
        checkout.authorise()
    _authenticate(provider, checkout)
    assert checkout.authorise()["authorised"] == TOTAL
    assert checkout.capture()["charged"] == TOTAL


def test_settling_learns_that_the_shopper_has_acted(provider: FakeProvider) -> None:
    checkout = _waiting()
    assert services.settle(payment_id=checkout.payment.pk) == Status.REQUIRES_ACTION
    _authenticate(provider, checkout)
    assert services.settle(payment_id=checkout.payment.pk) == Status.SUCCEEDED


def test_staff_never_see_the_secret(provider: FakeProvider) -> None:
    checkout = _waiting()
    action = services.action_of(saga_id=checkout.saga_id)
    assert action is not None
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("admin", password="x"))
    page = client.get(f"/admin/payments/payment/{checkout.payment.pk}/change/").text
    assert "REQUIRES_ACTION" in page or "waiting for the shopper" in page
    assert action.client_secret not in page
