"""A capture that comes after its cancel is found by the sweep, told, and refunded."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from payments import services
from payments.models import DATABASE, Kind, OperationStatus, Payment, Status
from payments.tasks import sweep_late_successes
from payments.tests.checkout import TOTAL, Checkout
from payments.tests.provider import FakeProvider
from payments.tests.staging import Killed, Moment, Stage

pytestmark = pytest.mark.django_db(databases=["default", DATABASE], transaction=True)


def _cancelled(token: str = "tok_success_after_cancel_600") -> Checkout:
    checkout = Checkout(token=token)
    with pytest.raises((services.PaymentInDoubt, services.CardDeclined)):
        checkout.charge()
    assert checkout.reverse() == {"cancelled": True}
    return checkout


def _make_due(checkout: Checkout) -> None:
    _set(checkout, next_check_at=Now())


def _set(checkout: Checkout, **values: object) -> None:
    Payment.objects.using(DATABASE).filter(saga_id=checkout.saga_id).update(**values)


@pytest.mark.parametrize("token", ["tok_success_after_cancel_600", "tok_success_after_decline_600"])
def test_a_success_after_the_cancel_is_found_told_and_refunded(
    provider: FakeProvider, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    checkout = _cancelled(token)
    provider.advance()
    assert len(provider.captures(checkout.intent)) == 1
    _make_due(checkout)
    assert services.sweep_late_successes(limit=10) == 1
    assert checkout.payment.status == Status.REFUNDED
    assert provider.refunded(checkout.intent) == TOTAL
    assert checkout.money == services.Money(captured=TOTAL, refunded=TOTAL, currency="EUR")
    assert checkout.operations(Kind.CHARGE)[-1].status == OperationStatus.SUCCEEDED
    assert [o.status for o in checkout.operations(Kind.REFUND)] == [OperationStatus.SUCCEEDED]
    (alert,) = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert "late_success_found" in alert.getMessage()
    assert checkout.payment.next_check_at is None


def test_a_cancelled_payment_is_asked_about_after_a_minute(provider: FakeProvider) -> None:
    payment = _cancelled().payment
    assert payment.cancelled_at is not None
    assert payment.next_check_at == payment.cancelled_at + timedelta(minutes=1)


def test_nothing_is_due_before_its_time(provider: FakeProvider) -> None:
    _cancelled()
    provider.advance()
    assert services.sweep_late_successes(limit=10) == 0


def test_a_payment_that_stays_cancelled_is_asked_with_growing_gaps(provider: FakeProvider) -> None:
    checkout = _cancelled("tok_declined")
    gaps = []
    for _ in range(3):
        _make_due(checkout)
        assert services.sweep_late_successes(limit=10) == 0
        payment = checkout.payment
        assert payment.next_check_at is not None
        assert payment.cancelled_at is not None
        gaps.append(payment.next_check_at - payment.cancelled_at)
    assert timedelta(minutes=2) <= gaps[0] < gaps[1] < gaps[2] < timedelta(minutes=9)
    assert checkout.payment.checks == 3


def test_the_asking_ends_after_a_day(provider: FakeProvider) -> None:
    checkout = _cancelled("tok_declined")
    _set(checkout, next_check_at=Now(), cancelled_at=Now() - timedelta(hours=25))
    assert services.sweep_late_successes(limit=10) == 0
    assert checkout.payment.next_check_at is None


def test_a_sweep_that_was_killed_is_ended_by_the_next_one(
    provider: FakeProvider, stage: Stage
) -> None:
    checkout = _cancelled()
    provider.advance()
    _make_due(checkout)
    stage.kill("refund", Moment.AFTER)
    with pytest.raises(Killed):
        services.sweep_late_successes(limit=10)
    assert checkout.money == services.Money(captured=TOTAL, currency="EUR")
    _make_due(checkout)
    assert services.sweep_late_successes(limit=10) == 1
    assert provider.refunded(checkout.intent) == TOTAL
    assert provider.begun("refund", checkout.intent) == 1


def test_one_failing_check_does_not_hold_up_the_others(
    provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    broken, found = _cancelled("tok_declined"), _cancelled()
    provider.advance()
    _set(broken, next_check_at=Now() - timedelta(minutes=5), provider_ref="pi_unknown")
    _make_due(found)
    assert services.sweep_late_successes(limit=10) == 1
    assert "late_success_check_failed" in caplog.text
    assert broken.payment.next_check_at is not None


def test_a_provider_that_is_away_ends_the_sweep_and_loses_nothing(
    provider: FakeProvider, settings: Settings
) -> None:
    checkout = _cancelled()
    provider.advance()
    _make_due(checkout)
    settings.FAKE_PROVIDER_URL = "http://127.0.0.1:9"
    assert services.sweep_late_successes(limit=10) == 0
    settings.FAKE_PROVIDER_URL = provider.url
    _make_due(checkout)
    assert services.sweep_late_successes(limit=10) == 1


def test_what_a_sweep_does_not_come_to_stays_due(provider: FakeProvider) -> None:
    """Guard: payments are taken one by one, so that no check is skipped unasked."""
    first, second = _cancelled(), _cancelled()
    provider.advance()
    for checkout in (first, second):
        _make_due(checkout)
    assert services.sweep_late_successes(limit=10, seconds=0) == 1
    assert services.sweep_late_successes(limit=10, seconds=0) == 1
    assert services.sweep_late_successes(limit=10) == 0


def test_a_provider_that_is_away_costs_one_check_and_not_all(
    provider: FakeProvider, settings: Settings
) -> None:
    for checkout in (_cancelled(), _cancelled()):
        _make_due(checkout)
    provider.advance()
    settings.FAKE_PROVIDER_URL = "http://127.0.0.1:9"
    assert services.sweep_late_successes(limit=10) == 0
    settings.FAKE_PROVIDER_URL = provider.url
    assert services.sweep_late_successes(limit=10) == 1


def test_the_task_sweeps(provider: FakeProvider) -> None:
    checkout = _cancelled()
    provider.advance()
    _make_due(checkout)
    sweep_late_successes(sent_by_a_newer_version=True)
    assert checkout.payment.status == Status.REFUNDED
