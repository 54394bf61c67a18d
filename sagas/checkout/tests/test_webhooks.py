"""The provider's webhooks, over real HTTP: kept once, never believed, and the checkout goes on."""

import json
import time
from collections.abc import Iterator
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import stripe
from django.conf import settings as django_settings
from django.db import OperationalError, connections
from django.test import Client
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from notifications.tests.conftest import MailServer
from payments import services
from payments.models import EventStatus, Payment, PaymentOperation, ProviderEvent, ProviderMovement
from payments.tests.provider import FakeProvider, eventually
from sagas import journal, operations
from sagas.checkout.tests.shopping import Shopper, id_of
from sagas.models import Outcome
from sagas.tests.conftest import deliver, drive, let_time_pass

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

URL = "/api/v1/webhooks/payments/fake"


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-offs are due at once."""
    monkeypatch.setattr("sagas.definitions.Retry.delay_after", lambda self, attempts: 0.0)


@pytest.fixture
def webhooks(provider: FakeProvider, live_server: LiveServer) -> Iterator[FakeProvider]:
    """The provider, with webhooks that reach this test's own web server."""
    url = f"{live_server.url}{URL}"
    provider.provoke("webhooks", url=url, secret=django_settings.FAKE_WEBHOOK_SECRET)
    yield provider
    provider.provoke("webhooks", url="off")


def events(**which: Any) -> list[ProviderEvent]:
    rows = ProviderEvent.objects.using("payments").filter(**which)
    return list(rows.order_by("received_at", "pk"))


def arrived(kind: str, *, copies: int = 1) -> ProviderEvent:
    """Wait for an event of a kind; return its row."""
    eventually(lambda: [e for e in events(kind=kind) if e.copies >= copies])
    return events(kind=kind)[-1]


def process_all() -> None:
    """Process as the workers do, whatever the order of messages."""
    for event_id in services.events_due(limit=100):
        services.process_event(event_id=event_id)


def payment_of(saga_id: UUID) -> Payment:
    return Payment.objects.using("payments").get(saga_id=saga_id)


def until_it_waits(saga_id: UUID) -> None:
    for _ in range(3):
        deliver(saga_id)
    assert journal.read(saga_id).error_outcome == Outcome.WAITING


def post(body: bytes, **headers: str) -> Any:
    return Client().post(URL, body, content_type="application/json", headers=headers)


def signed(event: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(event).encode()
    header = stripe.WebhookSignature.generate_signature_header(
        body.decode(), django_settings.FAKE_WEBHOOK_SECRET, int(time.time())
    )
    return body, {"Stripe-Signature": header}


def event_about(intent: str, **changes: Any) -> dict[str, Any]:
    about = {"id": intent, "object": "payment_intent", "receipt_email": "sentinel@example.org"}
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": about},
        **changes,
    }


# The door ----------------------------------------------------------------------------------


def test_an_event_is_kept_once_and_answered(provider: FakeProvider) -> None:
    body, headers = signed(event_about("pi_1"))
    for _ in range(3):
        assert post(body, **headers).status_code == 200
    (row,) = events()
    assert (row.copies, row.status, row.intent_ref) == (3, EventStatus.RECEIVED, "pi_1")


def test_nothing_of_the_shopper_is_kept(provider: FakeProvider) -> None:
    body, headers = signed(event_about("pi_1"))
    post(body, **headers)
    kept = ProviderEvent.objects.using("payments").values().get()
    assert "sentinel" not in json.dumps(kept, default=str)


def test_what_is_not_signed_is_refused_and_nothing_is_kept(provider: FakeProvider) -> None:
    body, _ = signed(event_about("pi_1"))
    answer = post(body, **{"Stripe-Signature": "t=1,v1=00"})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"].endswith("/webhook-refused")
    assert events() == []


def test_an_unknown_provider_is_not_found(provider: FakeProvider) -> None:
    body, headers = signed(event_about("pi_1"))
    path = "/api/v1/webhooks/payments/paypal"
    answer = Client().post(path, body, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (404, "/api/v1/problems/not-found")


def test_a_body_above_the_limit_is_refused_before_it_is_read_whole(
    provider: FakeProvider, settings: Settings
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = post(b"x" * 1001)
    assert (answer.status_code, answer.json()["type"]) == (413, "/api/v1/problems/body-too-large")
    assert events() == []


def test_only_posts_are_taken(provider: FakeProvider) -> None:
    assert Client().get(URL).status_code == 405


def test_a_database_that_is_away_is_a_503_so_that_the_provider_sends_it_again(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(connections["payments"], "cursor", away)
    body, headers = signed(event_about("pi_1"))
    assert post(body, **headers).status_code == 503


# What comes of it --------------------------------------------------------------------------


def test_an_authentication_resumes_the_checkout_at_once(
    guest: Shopper, webhooks: FakeProvider, smtp: MailServer
) -> None:
    saga_id = id_of(guest.place(payment_token="tok_requires_action"))
    until_it_waits(saga_id)
    ref = payment_of(saga_id).provider_ref
    webhooks.provoke(f"payment_intents/{ref}/authenticate")
    arrived("payment_intent.succeeded")
    process_all()
    assert payment_of(saga_id).status == "SUCCEEDED"
    assert journal.read(saga_id).next_attempt_at is None, "it was dispatched"
    assert drive(saga_id).state == "COMPLETE"
    assert len(webhooks.captures(ref)) == 1


def test_events_before_our_own_reply_find_the_payment_by_our_id(
    guest: Shopper, webhooks: FakeProvider, smtp: MailServer
) -> None:
    """The provider delivers before it answers, and the answer is lost."""
    webhooks.provoke("webhooks", before_reply="true")
    saga_id = id_of(guest.place(payment_token="tok_reply_lost"))
    for _ in range(3):
        deliver(saga_id)
    arrived("payment_intent.succeeded")
    process_all()
    assert payment_of(saga_id).status == "SUCCEEDED"
    let_time_pass(saga_id)
    operations.dispatch(saga_id, only_if_due=True)
    assert drive(saga_id).state == "COMPLETE"
    assert len(webhooks.captures(payment_of(saga_id).provider_ref)) == 1


def test_duplicates_and_the_wrong_order_change_nothing(
    guest: Shopper, webhooks: FakeProvider, smtp: MailServer
) -> None:
    webhooks.provoke("webhooks", hold="true")
    saga_id = id_of(guest.place())
    assert drive(saga_id).state == "COMPLETE"
    before = payment_of(saga_id)
    webhooks.provoke("webhooks", copies=2)
    webhooks.provoke("webhooks/release", order="reversed")
    kinds = [event.kind for event in events()]
    assert kinds.index("payment_intent.succeeded") < kinds.index("payment_intent.created")
    process_all()
    process_all()
    after = payment_of(saga_id)
    assert (after.status, after.captured, after.refunded) == ("SUCCEEDED", before.captured, 0)
    assert {event.outcome for event in events()} == {"nothing-new"}
    assert not services.events_due(limit=10)


def test_an_endpoint_that_was_away_gets_the_event_again(
    guest: Shopper, provider: FakeProvider, live_server: LiveServer, smtp: MailServer
) -> None:
    secret = django_settings.FAKE_WEBHOOK_SECRET
    provider.provoke("webhooks", url="http://127.0.0.1:9/away", secret=secret)
    drive(id_of(guest.place()))
    assert events() == []
    provider.provoke("webhooks", url=f"{live_server.url}{URL}", secret=secret)
    provider.advance()
    arrived("payment_intent.succeeded")
    provider.provoke("webhooks", url="off")


def test_two_workers_on_one_event_process_it_once(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    """Guard: the counted UPDATE that claims it."""
    saga_id = id_of(guest.place())
    drive(saga_id)
    ref = payment_of(saga_id).provider_ref
    body, headers = signed(event_about(ref))
    post(body, **headers)
    (row,) = events()
    heard = len(provider.events("request"))

    def process() -> None:
        services.process_event(event_id=row.pk)
        for alias in connections:
            connections[alias].close()

    threads = [Thread(target=process) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (row,) = events()
    assert (row.status, row.attempts) == (EventStatus.PROCESSED, 1)
    looked = [e for e in provider.events("request")[heard:] if e["path"].endswith(ref)]
    assert len(looked) == 1


def test_an_event_whose_provider_is_away_is_tried_again_later(
    guest: Shopper, provider: FakeProvider, settings: Settings, smtp: MailServer
) -> None:
    saga_id = id_of(guest.place())
    drive(saga_id)
    body, headers = signed(event_about(payment_of(saga_id).provider_ref))
    post(body, **headers)
    settings.FAKE_PROVIDER_URL = "http://127.0.0.1:9"
    process_all()
    (row,) = events()
    assert (row.status, row.outcome) == (EventStatus.RECEIVED, "payment-unavailable")
    assert not services.events_due(limit=10), "it backs off"
    settings.FAKE_PROVIDER_URL = provider.url
    ProviderEvent.objects.using("payments").update(next_attempt_at=row.received_at)
    process_all()
    assert events()[0].status == EventStatus.PROCESSED


@pytest.mark.parametrize(
    ("intent", "outcome"), [("pi_of_nobody", "unknown-to-the-provider"), ("", "about-no-payment")]
)
def test_an_event_about_nothing_of_ours_is_recorded_and_left(
    provider: FakeProvider, intent: str, outcome: str
) -> None:
    about = {"id": intent, "object": "payment_intent"} if intent else {"object": "customer"}
    body, headers = signed(event_about(intent, data={"object": about}))
    post(body, **headers)
    process_all()
    assert [(e.status, e.outcome) for e in events()] == [(EventStatus.PROCESSED, outcome)]


@pytest.mark.parametrize("metadata", [{}, {"payment_id": "of-another-system"}])
def test_an_intent_of_another_system_in_the_same_account_is_left(
    provider: FakeProvider, metadata: dict[str, str]
) -> None:
    made = provider.post(
        "/v1/payment_intents", {"amount": 500, "currency": "eur", "metadata": metadata}
    ).json()
    body, headers = signed(event_about(made["id"]))
    post(body, **headers)
    process_all()
    assert events()[0].outcome == "unknown-payment"


def test_another_amount_is_told_and_never_recorded(
    guest: Shopper, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    saga_id = id_of(guest.place(payment_token="tok_requires_action"))
    until_it_waits(saga_id)
    payment = payment_of(saga_id)
    other = provider.post(
        "/v1/payment_intents",
        {"amount": 1, "currency": "eur", "metadata": {"payment_id": str(payment.pk)}},
    ).json()
    # As if that one had been made for this payment before our own reply came.
    Payment.objects.using("payments").filter(pk=payment.pk).update(provider_ref="")
    body, headers = signed(event_about(other["id"]))
    post(body, **headers)
    process_all()
    assert events()[0].outcome == "provider-disagrees"
    assert "event_contradicts" in caplog.text
    assert payment_of(saga_id).captured == 0


def test_a_second_intent_that_took_money_is_told(
    guest: Shopper, provider: FakeProvider, smtp: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    saga_id = id_of(guest.place())
    drive(saga_id)
    payment = payment_of(saga_id)
    other = provider.post(
        "/v1/payment_intents",
        {"amount": 2500, "currency": "eur", "metadata": {"payment_id": str(payment.pk)}},
    ).json()
    provider.post(
        f"/v1/payment_intents/{other['id']}/confirm", {"payment_method": "tok_success"}
    ).raise_for_status()
    body, headers = signed(event_about(other["id"]))
    post(body, **headers)
    process_all()
    assert events()[0].outcome == "another-intent"
    assert "second_capture_found" in caplog.text


def test_a_charge_that_succeeds_after_its_undo_is_refunded_and_told(
    guest: Shopper, webhooks: FakeProvider, smtp: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    placed = guest.place(payment_token="tok_success_after_decline_600")
    saga_id = id_of(placed)
    assert drive(saga_id).state == "COMPENSATED"
    webhooks.advance()
    arrived("payment_intent.succeeded")
    process_all()
    ref = payment_of(saga_id).provider_ref
    assert webhooks.refunded(ref) == 2500
    assert webhooks.begun("refund", ref) == 1
    assert payment_of(saga_id).status == "REFUNDED"
    assert "late_success_found" in caplog.text
    process_all()
    assert webhooks.begun("refund", ref) == 1


def test_a_refund_made_in_the_dashboard_shows_up(
    guest: Shopper, webhooks: FakeProvider, smtp: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    placed = guest.place()
    saga_id = id_of(placed)
    drive(saga_id)
    ref = payment_of(saga_id).provider_ref
    webhooks.post("/v1/refunds", {"payment_intent": ref, "amount": 500}).raise_for_status()
    arrived("refund.created")
    process_all()
    payment = payment_of(saga_id)
    assert (payment.status, payment.refunded) == ("SUCCEEDED", 500)
    assert guest.look(placed).json()["refunded"] == 500
    (movement,) = ProviderMovement.objects.using("payments").filter(payment=payment)
    assert (movement.kind, movement.amount, movement.is_ours) == ("refund", 500, False)
    assert "refunded_elsewhere" in caplog.text
    webhooks.post("/v1/refunds", {"payment_intent": ref, "amount": 2000}).raise_for_status()
    eventually(lambda: len(events(kind="refund.created")) == 2)
    process_all()
    assert payment_of(saga_id).status == "REFUNDED"
    assert services.reverse_payment(saga_id=saga_id) == {"refunded": 2500}
    refunds = PaymentOperation.objects.using("payments").filter(kind="refund")
    assert not refunds.exists(), "nothing was left for us to give back"


def test_what_is_left_after_a_dashboard_refund_is_refunded_by_the_undo(
    guest: Shopper, webhooks: FakeProvider, smtp: MailServer
) -> None:
    saga_id = id_of(guest.place())
    drive(saga_id)
    ref = payment_of(saga_id).provider_ref
    webhooks.post("/v1/refunds", {"payment_intent": ref, "amount": 500}).raise_for_status()
    arrived("refund.created")
    process_all()
    assert services.reverse_payment(saga_id=saga_id) == {"refunded": 2500}
    assert webhooks.refunded(ref) == 2500


def test_a_dispute_shows_up_and_is_told(
    guest: Shopper, webhooks: FakeProvider, smtp: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    saga_id = id_of(guest.place())
    drive(saga_id)
    ref = payment_of(saga_id).provider_ref
    dispute = webhooks.provoke(f"payment_intents/{ref}/dispute")
    arrived("charge.dispute.created")
    process_all()
    assert payment_of(saga_id).disputed == 2500
    assert caplog.text.count("payment_disputed") >= 1
    webhooks.provoke(f"disputes/{dispute['id']}/close", status="won")
    arrived("charge.dispute.closed")
    process_all()
    assert payment_of(saga_id).disputed == 0


def test_a_refund_that_the_bank_takes_back_is_told(
    guest: Shopper, webhooks: FakeProvider, smtp: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    saga_id = id_of(guest.place())
    drive(saga_id)
    services.reverse_payment(saga_id=saga_id)
    arrived("refund.created")
    process_all()
    ref = payment_of(saga_id).provider_ref
    (refund,) = webhooks.get(f"/v1/refunds?payment_intent={ref}")["data"]
    webhooks.provoke(f"refunds/{refund['id']}/fail")
    arrived("refund.failed")
    process_all()
    assert "refund_taken_back" in caplog.text


def test_a_refund_that_gets_through_later_ends_the_undo(
    guest: Shopper, webhooks: FakeProvider, smtp: MailServer
) -> None:
    saga_id = id_of(guest.place(payment_token="tok_refund_late_600"))
    drive(saga_id)
    with pytest.raises(services.PaymentInDoubt):
        services.reverse_payment(saga_id=saga_id)
    webhooks.advance()
    arrived("refund.updated")
    process_all()
    assert payment_of(saga_id).status == "REFUNDED"
    assert webhooks.begun("refund", payment_of(saga_id).provider_ref) == 1


def test_no_event_makes_us_send_a_refund_again(guest: Shopper, webhooks: FakeProvider) -> None:
    """Guard: ``reversing.learn`` moves no money; each failure would bring the next event."""
    saga_id = id_of(guest.place(payment_token="tok_refund_fails_600"))
    drive(saga_id, until="PAYMENT_CHARGED")
    with pytest.raises(services.PaymentInDoubt):
        services.reverse_payment(saga_id=saga_id)
    webhooks.advance()
    arrived("refund.failed")
    process_all()
    assert webhooks.begun("refund", payment_of(saga_id).provider_ref) == 1
    assert payment_of(saga_id).status == "REVERSING"


def test_the_web_server_answers_while_the_provider_is_asked_by_nobody(
    provider: FakeProvider, live_server: LiveServer
) -> None:
    body, headers = signed(event_about("pi_1"))
    heard = len(provider.events("request"))
    answer = httpx.post(f"{live_server.url}{URL}", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert len(provider.events("request")) == heard
