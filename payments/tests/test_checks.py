"""A payment provider that cannot be used is named before anything starts."""

import pytest
from pytest_django.fixtures import Settings

from payments.checks import check_provider, check_stripe


def _ids(faults: object) -> list[tuple[str, bool]]:
    assert isinstance(faults, list)
    return [(fault.id, bool(fault.hint)) for fault in faults]


def test_a_known_provider_is_fine(settings: Settings) -> None:
    settings.PAYMENT_PROVIDER = "fake"
    assert check_provider() == []


def test_an_unknown_provider_is_an_error_with_its_mend(settings: Settings) -> None:
    settings.PAYMENT_PROVIDER = ""
    assert _ids(check_provider()) == [("payments.E001", True)]


def test_a_gateway_that_cannot_be_imported_is_an_error(settings: Settings) -> None:
    settings.PAYMENT_PROVIDER = "fake"
    settings.PAYMENT_GATEWAYS = {"fake": "payments.gateways.nowhere.Gateway"}
    assert _ids(check_provider()) == [("payments.E001", True)]


@pytest.fixture
def stripe(settings: Settings) -> Settings:
    settings.PAYMENT_PROVIDER = "stripe"
    settings.PAYMENT_GATEWAYS = {"stripe": "payments.gateways.stripe.StripeGateway"}
    settings.STRIPE_SECRET_KEY = "sk_test_1"
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new", "whsec_old"]
    return settings


def test_stripe_with_its_secrets_is_fine(stripe: Settings) -> None:
    assert check_provider() == []
    assert check_stripe() == []


def test_whoever_uses_another_provider_needs_no_secrets_of_stripe(settings: Settings) -> None:
    settings.PAYMENT_PROVIDER = "fake"
    assert check_stripe() == []


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("STRIPE_SECRET_KEY", "", "payments.E002"),
        ("STRIPE_SECRET_KEY", "pk_test_1", "payments.E002"),
        ("STRIPE_WEBHOOK_SECRETS", [], "payments.E003"),
        ("STRIPE_WEBHOOK_SECRETS", ["whsec_1", "sk_test_1"], "payments.E003"),
        ("PAYMENT_READ_TIMEOUT", 15.0, "payments.E004"),
    ],
)
def test_what_stripe_lacks_is_an_error_with_its_mend(
    stripe: Settings, name: str, value: object, fault: str
) -> None:
    setattr(stripe, name, value)
    assert _ids(check_stripe()) == [(fault, True)]
