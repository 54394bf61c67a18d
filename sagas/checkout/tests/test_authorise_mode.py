"""Where CHARGE_MODE is ``authorise``, an undo voids; the money is taken once the order stands."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from pytest_django.fixtures import Settings

from inventory.models import Stock
from notifications.tests.conftest import MailServer
from orders.models import Order
from payments.models import Payment
from payments.tests.provider import FakeProvider
from sagas import journal, registry, verbs
from sagas.checkout import authorised, saga
from sagas.checkout.evidence import CHECKOUT
from sagas.checkout.tests.shopping import Shopper, id_of
from sagas.checks import check_kind
from sagas.models import Saga
from sagas.tests.conftest import NOBODY, deliver, drive

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


@pytest.fixture(autouse=True)
def authorising(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """New checkouts are authorised first, and back-offs are due at once."""
    monkeypatch.setattr("sagas.definitions.Retry.delay_after", lambda self, attempts: 0.0)
    settings.SAGAS = {
        "checkout": ["sagas.checkout.authorised.CHECKOUT", "sagas.checkout.saga.CHECKOUT"]
    }
    registry._load.cache_clear()
    yield
    registry._load.cache_clear()


def payment_of(saga_id: UUID) -> Payment:
    return Payment.objects.using("payments").get(saga_id=saga_id)


def order_status(saga_id: UUID) -> str:
    return str(Order.objects.using("orders").get(saga_id=saga_id).status)


def held() -> int:
    return Stock.objects.using("inventory").get(pk="MUG").reserved


def until(saga_id: UUID, state: str) -> Saga:
    for _ in range(20):
        if journal.read(saga_id).state == state:
            return journal.read(saga_id)
        deliver(saga_id)
    raise AssertionError(f"never {state}")


def test_the_money_is_taken_after_the_order_is_confirmed(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    placed = guest.place()
    saga_id = id_of(placed)
    until(saga_id, "ORDER_CONFIRMED")
    ref = payment_of(saga_id).provider_ref
    assert (order_status(saga_id), provider.captures(ref)) == ("CONFIRMED", [])
    standing = guest.look(placed).json()
    assert (standing["status"], standing["charged"]) == ("processing", 0)
    assert drive(saga_id).state == "COMPLETE"
    assert len(provider.captures(ref)) == 1
    standing = guest.look(placed).json()
    assert (standing["status"], standing["charged"]) == ("completed", 2500)
    assert len(smtp.mails) == 1


def test_a_checkout_that_is_cancelled_in_time_is_voided_without_a_refund(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    placed = guest.place()
    saga_id = id_of(placed)
    until(saga_id, "PAYMENT_AUTHORISED")
    guest.cancel(placed)
    assert drive(saga_id).state == "COMPENSATED"
    ref = payment_of(saga_id).provider_ref
    assert provider.get(f"/v1/payment_intents/{ref}")["status"] == "canceled"
    assert provider.captures(ref) == []
    assert provider.begun("refund", ref) == 0
    assert (held(), order_status(saga_id)) == (0, "CANCELLED")
    standing = guest.look(placed).json()
    assert (standing["status"], standing["charged"], standing["refunded"]) == ("cancelled", 0, 0)


@pytest.mark.parametrize("token", ["tok_capture_500_once", "tok_capture_reply_lost"])
def test_a_capture_in_doubt_goes_on_and_captures_once(
    guest: Shopper, provider: FakeProvider, smtp: MailServer, token: str
) -> None:
    saga_id = id_of(guest.place(payment_token=token))
    assert drive(saga_id).state == "COMPLETE"
    assert len(provider.captures(payment_of(saga_id).provider_ref)) == 1


def test_an_authorisation_that_is_gone_waits_for_a_person_who_may_undo_it(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    placed = guest.place(payment_token="tok_capture_refused")
    saga_id = id_of(placed)
    saga = drive(saga_id)
    assert (saga.state, saga.parked) == ("ORDER_CONFIRMED", "refused_past_pivot")
    assert guest.look(placed).json()["status"] == "processing"
    verbs.compensate(saga_id, mandate=NOBODY, past_pivot=True)
    assert drive(saga_id).state == "COMPENSATED"
    assert (held(), order_status(saga_id)) == (0, "CANCELLED")


def test_a_captured_checkout_is_refunded_when_staff_undo_it(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    saga_id = id_of(guest.place())
    assert drive(saga_id).state == "COMPLETE"
    verbs.compensate(saga_id, mandate=NOBODY, past_pivot=True)
    assert drive(saga_id).state == "COMPENSATED"
    assert provider.refunded(payment_of(saga_id).provider_ref) == 2500


def test_what_staff_read_tells_what_the_bank_holds(guest: Shopper, provider: FakeProvider) -> None:
    saga_id = id_of(guest.place())
    until(saga_id, "PAYMENT_AUTHORISED")
    verdict = CHECKOUT.verdict(saga_id, state="PAYMENT_AUTHORISED", reason="")
    assert (verdict.authorised, verdict.charged, verdict.payment) == (2500, 0, "AUTHORISED")
    assert "your bank holds 25.00 EUR" in verdict.sentence
    (void,) = CHECKOUT.calls(saga_id, steps=["authorise_payment"], undo=True)
    assert "void the authorisation" in void.what
    (capture,) = CHECKOUT.calls(saga_id, steps=["capture_payment"], undo=False)
    assert capture.key.endswith("-capture-1")


def test_running_checkouts_keep_the_story_that_they_began_with(
    guest: Shopper, provider: FakeProvider, smtp: MailServer, settings: Settings
) -> None:
    saga_id = id_of(guest.place())
    deliver(saga_id)
    settings.SAGAS = {
        "checkout": ["sagas.checkout.saga.CHECKOUT", "sagas.checkout.authorised.CHECKOUT"]
    }
    registry._load.cache_clear()
    later = id_of(guest.place())
    assert drive(saga_id).results.keys() >= {"authorise_payment", "capture_payment"}
    assert "charge_payment" in drive(later).results


def test_both_stories_pass_the_checks() -> None:
    assert list(check_kind("checkout")) == []
    assert authorised.CHECKOUT.version != saga.CHECKOUT.version
    charge, undo = authorised.CHECKOUT.charge or (None, None)
    assert charge is not None
    assert undo is not None
    assert (charge.name, undo.name) == ("capture_payment", "authorise_payment")
    charge, undo = saga.CHECKOUT.charge or (None, None)
    assert charge is undo
