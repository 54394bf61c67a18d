"""A checkout waits while its shopper authenticates with their bank, and holds its stock."""

import json
from uuid import UUID

import pytest
from pytest_django.fixtures import Settings

from inventory.models import Stock
from notifications.tests.conftest import MailServer
from payments.models import Payment, PaymentAction
from payments.tests.provider import FakeProvider
from sagas import journal, operations, stuck
from sagas.checkout.evidence import CHECKOUT
from sagas.checkout.tests.shopping import Shopper, assert_problem, id_of
from sagas.models import Outcome, Saga, StepRun
from sagas.tests.conftest import deliver, drive, let_time_pass

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

TOKEN = "tok_requires_action"


@pytest.fixture(autouse=True)
def way_back(settings: Settings) -> None:
    settings.PAYMENT_RETURN_URL = "https://shop.example/back"


def wait_for_the_shopper(saga_id: UUID) -> Saga:
    """Deliver messages until the charge waits."""
    for _ in range(3):
        deliver(saga_id)
    saga = journal.read(saga_id)
    assert saga.error_outcome == Outcome.WAITING
    return saga


def intent_of(saga_id: UUID) -> str:
    return Payment.objects.using("payments").get(saga_id=saga_id).provider_ref


def authenticate(provider: FakeProvider, saga_id: UUID, outcome: str = "success") -> None:
    provider.provoke(f"payment_intents/{intent_of(saga_id)}/authenticate", outcome=outcome)


def held() -> int:
    return Stock.objects.using("inventory").get(pk="MUG").reserved


def test_the_owner_is_told_what_to_do_and_nobody_else(
    guest: Shopper, customer: Shopper, provider: FakeProvider
) -> None:
    placed = guest.place(payment_token=TOKEN)
    saga = wait_for_the_shopper(id_of(placed))
    standing = guest.look(placed)
    told = standing.json()
    assert (told["status"], told["charged"]) == ("requires_action", 0)
    action = told["next_action"]
    assert action["type"] == "redirect"
    assert action["url"].endswith(intent_of(saga.pk))
    assert action["client_secret"].startswith(f"{intent_of(saga.pk)}_secret_")
    assert action["expires_at"] is not None
    assert_problem(customer.http.get(placed.headers["Location"]), 404, "not-found")
    assert held() == 2


def test_the_secret_is_nowhere_but_in_payments(
    guest: Shopper, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    saga = wait_for_the_shopper(id_of(guest.place(payment_token=TOKEN)))
    secret = PaymentAction.objects.using("payments").get().client_secret
    runs = StepRun.objects.using("default").filter(saga=saga)
    kept = json.dumps(
        [saga.results, saga.input, saga.error_message, *runs.values_list("error_message", "result")]
    )
    assert secret not in kept + caplog.text


def test_once_the_shopper_has_acted_the_checkout_completes(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    placed = guest.place(payment_token=TOKEN)
    saga = wait_for_the_shopper(id_of(placed))
    authenticate(provider, saga.pk)
    operations.dispatch(saga.pk, only_if_waiting=True)
    assert drive(saga.pk).state == "COMPLETE"
    assert len(provider.captures(intent_of(saga.pk))) == 1
    told = guest.look(placed).json()
    assert (told["status"], told["next_action"]) == ("completed", None)
    assert not PaymentAction.objects.using("payments").exists()


def test_without_a_webhook_the_next_look_finds_it(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    saga = wait_for_the_shopper(id_of(guest.place(payment_token=TOKEN)))
    authenticate(provider, saga.pk)
    let_time_pass(saga.pk)
    operations.dispatch(saga.pk, only_if_due=True)
    assert drive(saga.pk).state == "COMPLETE"


def test_a_shopper_who_fails_to_authenticate_is_declined(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    placed = guest.place(payment_token=TOKEN)
    saga = wait_for_the_shopper(id_of(placed))
    authenticate(provider, saga.pk, "failure")
    operations.dispatch(saga.pk, only_if_waiting=True)
    assert drive(saga.pk).state == "COMPENSATED"
    assert held() == 0
    told = guest.look(placed).json()
    assert (told["status"], told["reason"]["code"]) == ("failed", "card-declined")


def test_at_the_deadline_the_intent_is_cancelled_and_the_stock_released(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    placed = guest.place(payment_token=TOKEN)
    saga = wait_for_the_shopper(id_of(placed))
    let_time_pass(saga.pk, deadline=True)
    operations.dispatch(saga.pk, only_if_due=True)
    saga = drive(saga.pk)
    assert (saga.state, saga.reason) == ("COMPENSATED", "deadline")
    assert provider.get(f"/v1/payment_intents/{intent_of(saga.pk)}")["status"] == "canceled"
    assert held() == 0
    late = provider.post(f"/v1/test_helpers/payment_intents/{intent_of(saga.pk)}/authenticate")
    assert late.status_code == 400
    assert guest.look(placed).json()["status"] == "failed"


def test_a_shopper_who_acts_in_the_last_moment_gets_all_of_it_back(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    placed = guest.place(payment_token=TOKEN)
    saga = wait_for_the_shopper(id_of(placed))
    authenticate(provider, saga.pk)
    let_time_pass(saga.pk, deadline=True)
    operations.dispatch(saga.pk, only_if_due=True)
    assert drive(saga.pk).state == "COMPENSATED"
    told = guest.look(placed).json()
    assert (told["charged"], told["refunded"], told["status"]) == (2500, 2500, "failed")


def test_a_shopper_may_cancel_instead(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    placed = guest.place(payment_token=TOKEN)
    saga = wait_for_the_shopper(id_of(placed))
    assert guest.cancel(placed).status_code == 202
    assert drive(saga.pk).state == "COMPENSATED"
    assert guest.look(placed).json()["status"] == "cancelled"


def test_staff_read_for_whom_it_waits(guest: Shopper, provider: FakeProvider) -> None:
    saga = wait_for_the_shopper(id_of(guest.place(payment_token=TOKEN)))
    words = stuck.standing_of(saga).words
    until = f"{saga.deadline_at:%H:%M:%S} UTC"
    assert words == f"waiting for the shopper to authenticate until {until}"
    verdict = CHECKOUT.verdict(saga.pk, state=saga.state, reason="")
    assert "until you have authenticated with your bank" in verdict.sentence


def test_a_client_that_waits_is_answered_when_the_shopper_must_act(
    guest: Shopper, provider: FakeProvider
) -> None:
    key = "a-key-of-a-guest-0123456789"
    saga_id = id_of(guest.place(key=key, payment_token=TOKEN))
    wait_for_the_shopper(saga_id)
    again = guest.place(key=key, payment_token=TOKEN, prefer="wait=5")
    assert again.status_code == 202
    assert again.json()["status"] == "requires_action"
    assert again.json()["next_action"]["client_secret"]
