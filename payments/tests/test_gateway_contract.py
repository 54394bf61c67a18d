"""What every gateway must keep, run against each one that can be reached from here.

A further provider joins by one more line in ``GATEWAYS``.
"""

import socket
from collections.abc import Callable
from threading import Thread
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from payments.gateways.fake import FakeGateway
from payments.gateways.port import (
    Declined,
    Gateway,
    InDoubt,
    Intent,
    IntentStatus,
    RefundStatus,
    Rejected,
    Unavailable,
    UnexpectedState,
)
from payments.gateways.registry import gateway as chosen_gateway
from payments.tests.provider import FakeProvider

GATEWAYS: list[Callable[[], Gateway]] = [FakeGateway]


@pytest.fixture(params=GATEWAYS)
def gateway(request: pytest.FixtureRequest, provider: FakeProvider) -> Gateway:
    made: Gateway = request.param()
    return made


def _key() -> str:
    return str(uuid4())


def _open(gateway: Gateway, *, payment_id: str = "", key: str = "") -> Intent:
    return gateway.create_intent(
        key=key or _key(), payment_id=payment_id or _key(), amount=1000, currency="EUR"
    )


def _paid(gateway: Gateway, token: str = "tok_success") -> Intent:
    return gateway.confirm(ref=_open(gateway).ref, key=_key(), token=token)


def test_one_key_makes_one_intent(gateway: Gateway) -> None:
    payment_id, key = _key(), _key()
    made = [_open(gateway, payment_id=payment_id, key=key) for _ in range(2)]
    assert made[0] == made[1]
    assert made[0].status is IntentStatus.OPEN
    assert (made[0].amount, made[0].currency, made[0].captured) == (1000, "EUR", 0)


def test_one_key_with_another_amount_is_rejected(gateway: Gateway) -> None:
    payment_id, key = _key(), _key()
    _open(gateway, payment_id=payment_id, key=key)
    with pytest.raises(Rejected):
        gateway.create_intent(key=key, payment_id=payment_id, amount=1001, currency="EUR")


def test_an_intent_is_found_by_our_own_id(gateway: Gateway) -> None:
    payment_id = _key()
    assert gateway.find(payment_id=payment_id) is None
    made = _open(gateway, payment_id=payment_id)
    assert gateway.find(payment_id=payment_id) == made == gateway.look_up(ref=made.ref)


def test_a_confirm_captures_and_its_repeat_says_the_same(gateway: Gateway) -> None:
    ref, key = _open(gateway).ref, _key()
    first = gateway.confirm(ref=ref, key=key, token="tok_success")
    assert (first.status, first.captured) == (IntentStatus.SUCCEEDED, 1000)
    assert first.charge_ref
    assert gateway.confirm(ref=ref, key=key, token="tok_success") == first


def test_a_second_confirm_finds_the_first(gateway: Gateway) -> None:
    ref = _paid(gateway).ref
    with pytest.raises(UnexpectedState) as found:
        gateway.confirm(ref=ref, key=_key(), token="tok_success")
    assert found.value.intent.status is IntentStatus.SUCCEEDED


def test_a_decline_carries_its_code_and_can_be_looked_up(gateway: Gateway) -> None:
    ref = _open(gateway).ref
    with pytest.raises(Declined) as no:
        gateway.confirm(ref=ref, key=_key(), token="tok_insufficient_funds")
    assert no.value.code == "insufficient_funds"
    known = gateway.look_up(ref=ref)
    assert (known.status, known.decline_code) == (IntentStatus.DECLINED, "insufficient_funds")


def test_a_cancelled_intent_is_never_confirmed(gateway: Gateway) -> None:
    ref = _open(gateway).ref
    assert gateway.cancel(ref=ref, key=_key()).status is IntentStatus.CANCELLED
    calls: list[Callable[[], Intent]] = [
        lambda: gateway.confirm(ref=ref, key=_key(), token="tok_success"),
        lambda: gateway.cancel(ref=ref, key=_key()),
    ]
    for call in calls:
        with pytest.raises(UnexpectedState) as found:
            call()
        assert found.value.intent.status is IntentStatus.CANCELLED


def test_a_captured_intent_is_not_cancelled(gateway: Gateway) -> None:
    with pytest.raises(UnexpectedState) as found:
        gateway.cancel(ref=_paid(gateway).ref, key=_key())
    assert found.value.intent.captured == 1000


def test_a_refund_is_made_once_a_key_and_listed(gateway: Gateway) -> None:
    ref, key = _paid(gateway).ref, _key()
    refund = gateway.refund(ref=ref, key=key, amount=1000)
    assert (refund.status, refund.amount) == (RefundStatus.SUCCEEDED, 1000)
    assert gateway.refund(ref=ref, key=key, amount=1000) == refund
    assert list(gateway.refunds_of(ref=ref)) == [refund]
    with pytest.raises(Rejected):
        gateway.refund(ref=ref, key=_key(), amount=1)


@pytest.mark.parametrize(
    ("token", "answered"),
    [("tok_500_before", True), ("tok_500_after", True), ("tok_reply_lost", False)],
)
def test_an_answer_that_went_wrong_is_a_doubt(gateway: Gateway, token: str, answered: bool) -> None:
    with pytest.raises(InDoubt) as doubt:
        _paid(gateway, token)
    assert doubt.value.answered is answered


def test_a_time_out_is_a_doubt_and_so_is_a_key_in_flight(
    gateway: Gateway, provider: FakeProvider, settings: Settings
) -> None:
    settings.PAYMENT_READ_TIMEOUT = 0.2
    ref, key = _open(gateway).ref, _key()
    for _ in range(2):
        with pytest.raises(InDoubt) as doubt:
            gateway.confirm(ref=ref, key=key, token="tok_slow_600")
        assert not doubt.value.answered
    provider.advance()


def test_a_provider_that_is_not_there_is_unavailable(gateway: Gateway, settings: Settings) -> None:
    settings.FAKE_PROVIDER_URL = "http://127.0.0.1:9"
    with pytest.raises(Unavailable):
        _open(gateway)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot json!",
        b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"status":"unknown"}'[:-1],
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_an_answer_that_makes_no_sense_is_a_doubt(answer: bytes, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        settings.FAKE_PROVIDER_URL = f"http://127.0.0.1:{server.getsockname()[1]}"
        thread = Thread(target=serve)
        thread.start()
        with pytest.raises(InDoubt):
            FakeGateway().confirm(ref="pi_x", key=_key(), token="tok_success")
        thread.join()


def test_a_payment_keeps_the_provider_that_it_was_begun_with(settings: Settings) -> None:
    settings.PAYMENT_PROVIDER = "another"
    assert isinstance(chosen_gateway("fake"), FakeGateway)
    with pytest.raises(LookupError, match="another"):
        chosen_gateway()
