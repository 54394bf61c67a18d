"""What every gateway's ledger must keep: all intents of a window, page by page, with their money.

A further provider joins by one more name in ``gateway``.
"""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from payments.gateways import ledger
from payments.gateways.ledger import Entry
from payments.gateways.port import Gateway, Unavailable
from payments.gateways.registry import gateway as chosen_gateway
from payments.tests.provider import FakeProvider

EVER = datetime(2020, 1, 1, tzinfo=UTC)
LATER = datetime.now(tz=UTC) + timedelta(days=1)


@pytest.fixture(params=["fake", "stripe"])
def gateway(request: pytest.FixtureRequest, provider: FakeProvider, settings: Settings) -> Gateway:
    settings.STRIPE_SECRET_KEY = "sk_test_ledger"
    settings.STRIPE_API_BASE = provider.url
    settings.PAYMENT_GATEWAYS = {
        **settings.PAYMENT_GATEWAYS,
        "stripe": "payments.gateways.stripe.StripeGateway",
    }
    return chosen_gateway(request.param)


def _paid(gateway: Gateway, payment_id: str, token: str = "tok_success") -> str:
    intent = gateway.create_intent(
        key=str(uuid4()), payment_id=payment_id, amount=1000, currency="EUR"
    )
    gateway.confirm(ref=intent.ref, key=str(uuid4()), token=token)
    return intent.ref


def _entry(gateway: Gateway, ref: str) -> Entry:
    entry = gateway.entry(ref=ref)
    assert entry is not None
    return entry


def test_an_entry_says_whose_it_is_and_what_is_held(gateway: Gateway) -> None:
    payment_id = str(uuid4())
    ref = _paid(gateway, payment_id)
    entry = _entry(gateway, ref)
    assert (entry.ref, entry.payment_id, entry.currency) == (ref, payment_id, "EUR")
    assert (entry.amount, entry.captured, entry.refunded) == (1000, 1000, 0)
    assert abs(entry.created - datetime.now(tz=UTC)) < timedelta(minutes=1)


def test_refunds_count_from_when_they_were_asked_for(
    gateway: Gateway, provider: FakeProvider
) -> None:
    through = _paid(gateway, str(uuid4()))
    failing = _paid(gateway, str(uuid4()), "tok_refund_fails_60")
    for ref in (through, failing):
        gateway.refund(ref=ref, key=str(uuid4()), amount=1000, operation_id="op-1")
    assert [_entry(gateway, ref).refunded for ref in (through, failing)] == [1000, 1000]
    provider.advance()
    assert [_entry(gateway, ref).refunded for ref in (through, failing)] == [1000, 0]


def test_an_intent_that_nobody_has_is_none(gateway: Gateway) -> None:
    assert gateway.entry(ref="pi_nobody_has_this") is None


def test_every_intent_of_the_window_is_listed_once_over_all_pages(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "PAGE", 2)
    made = [_paid(gateway, str(uuid4())) for _ in range(5)]
    listed = [entry.ref for entry in gateway.entries(since=EVER, before=LATER)]
    assert listed[:5] == made[::-1]
    assert len(listed) == len(set(listed))


def test_what_was_created_outside_of_the_window_is_left_out(gateway: Gateway) -> None:
    ref = _paid(gateway, str(uuid4()))
    entry = _entry(gateway, ref)
    second = timedelta(seconds=1)

    def within(since: datetime, before: datetime) -> bool:
        return ref in [each.ref for each in gateway.entries(since=since, before=before)]

    assert within(entry.created, entry.created + second)
    assert not within(entry.created - second, entry.created)
    assert not within(entry.created + second, LATER)


def test_an_unreachable_provider_is_not_read_as_an_empty_ledger(
    gateway: Gateway, settings: Settings
) -> None:
    settings.FAKE_PROVIDER_URL = settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(Unavailable):
        list(gateway.entries(since=EVER, before=LATER))
    with pytest.raises(Unavailable):
        gateway.entry(ref="pi_x")


@pytest.mark.parametrize("answer", [{}, {"data": [{}], "has_more": False}, {"data": []}])
def test_a_page_of_another_shape_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(KeyError):
        ledger.page_of(answer)
