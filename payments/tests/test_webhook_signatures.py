"""A webhook is taken for the provider's only if its signature says so, byte for byte."""

import json
import time
from typing import Any

import pytest
import stripe
from pytest_django.fixtures import Settings

from payments.gateways.port import WebhookRefused
from payments.gateways.stripe import TOLERANCE, StripeGateway

NEW, OLD = "whsec_new", "whsec_old"


@pytest.fixture
def gateway(settings: Settings) -> StripeGateway:
    settings.STRIPE_SECRET_KEY = "sk_test_1"
    settings.STRIPE_WEBHOOK_SECRETS = [NEW, OLD]
    return StripeGateway()


def event(**changes: Any) -> bytes:
    """Return the body of an event, with personal data in it as Stripe's have."""
    about = {"id": "ch_1", "object": "charge", "payment_intent": "pi_1", "receipt_email": "a@b.c"}
    told = {
        "id": "evt_1",
        "object": "event",
        "type": "charge.succeeded",
        "created": 1_790_000_000,
        "livemode": False,
        "data": {"object": about},
        **changes,
    }
    return json.dumps(told, ensure_ascii=False).encode()


def signed(body: bytes, secret: str = NEW, *, age: float = 0.0) -> dict[str, str]:
    at = int(time.time() - age)
    header = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, at)
    return {"Stripe-Signature": header}


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_each_of_two_secrets_is_good_while_they_are_rotated(
    gateway: StripeGateway, secret: str
) -> None:
    body = event()
    told = gateway.read_webhook(body=body, headers=signed(body, secret))
    assert (told.id, told.kind, told.intent_ref) == ("evt_1", "charge.succeeded", "pi_1")
    assert told.created_at.year == 2026


@pytest.mark.parametrize(
    ("about", "intent"),
    [
        ({"id": "pi_1", "object": "payment_intent"}, "pi_1"),
        ({"id": "re_1", "object": "refund", "payment_intent": "pi_2"}, "pi_2"),
        ({"id": "dp_1", "object": "dispute", "payment_intent": {"id": "pi_3"}}, "pi_3"),
        ({"id": "cus_1", "object": "customer"}, ""),
    ],
)
def test_an_event_says_which_intent_it_is_about(
    gateway: StripeGateway, about: dict[str, Any], intent: str
) -> None:
    body = event(data={"object": about})
    assert gateway.read_webhook(body=body, headers=signed(body)).intent_ref == intent


def test_header_names_may_come_in_any_case(gateway: StripeGateway) -> None:
    body = event()
    headers = {name.upper(): value for name, value in signed(body).items()}
    assert gateway.read_webhook(body=body, headers=headers).id == "evt_1"


def test_a_body_that_was_changed_by_one_byte_is_refused(gateway: StripeGateway) -> None:
    body = event()
    for other in (body + b" ", body.replace(b"pi_1", b"pi_2")):
        with pytest.raises(WebhookRefused):
            gateway.read_webhook(body=other, headers=signed(body))


def test_an_old_signature_is_refused(gateway: StripeGateway) -> None:
    """Guard: TOLERANCE, against deliveries that somebody kept and sends again."""
    body = event()
    gateway.read_webhook(body=body, headers=signed(body, age=TOLERANCE - 60))
    with pytest.raises(WebhookRefused):
        gateway.read_webhook(body=body, headers=signed(body, age=TOLERANCE + 60))


@pytest.mark.parametrize(
    "header", [None, "", "t=1", "v1=abc", "t=x,v1=abc", "nonsense", "t=1,v0=abc", "t=,v1="]
)
def test_a_header_that_proves_nothing_is_refused(
    gateway: StripeGateway, header: str | None
) -> None:
    headers = {} if header is None else {"Stripe-Signature": header}
    with pytest.raises(WebhookRefused):
        gateway.read_webhook(body=event(), headers=headers)


def test_without_any_secret_everything_is_refused(
    gateway: StripeGateway, settings: Settings
) -> None:
    body = event()
    for secrets in ([], [""]):
        settings.STRIPE_WEBHOOK_SECRETS = secrets
        with pytest.raises(WebhookRefused):
            gateway.read_webhook(body=body, headers=signed(body))


def test_real_money_and_test_events_do_not_mix(gateway: StripeGateway, settings: Settings) -> None:
    live, test = event(livemode=True), event()
    with pytest.raises(WebhookRefused, match="do not mix"):
        gateway.read_webhook(body=live, headers=signed(live))
    settings.STRIPE_SECRET_KEY = "rk_live_1"
    assert gateway.read_webhook(body=live, headers=signed(live)).id == "evt_1"
    with pytest.raises(WebhookRefused, match="do not mix"):
        gateway.read_webhook(body=test, headers=signed(test))


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b"null", b"not json", b'{"livemode": false, "data": {"object": 5}}']
)
def test_what_is_signed_and_no_event_is_refused(gateway: StripeGateway, body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        gateway.read_webhook(body=body, headers=signed(body))


def test_bytes_that_are_no_text_are_refused(gateway: StripeGateway) -> None:
    with pytest.raises(WebhookRefused):
        gateway.read_webhook(body=b"\xff\xfe", headers={"Stripe-Signature": "t=1,v1=abc"})
