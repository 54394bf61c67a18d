"""A payment provider that cannot be used is named before anything starts."""

from pytest_django.fixtures import Settings

from payments.checks import check_provider


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
