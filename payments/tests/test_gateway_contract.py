"""Every gateway that can be reached from here keeps the contract.

A further provider joins as one more class.
"""

import socket
from threading import Thread

import pytest
from pytest_django.fixtures import Settings

from payments.gateways.fake import FakeGateway
from payments.gateways.port import Declined, Gateway, InDoubt, Unavailable
from payments.gateways.registry import gateway as chosen_gateway
from payments.gateways.stripe import StripeGateway
from payments.tests.contract import GatewayContract, new_key, opened, paid
from payments.tests.provider import FakeProvider


class TestFakeGateway(GatewayContract):
    @pytest.fixture
    def gateway(self, provider: FakeProvider) -> Gateway:
        return FakeGateway()


class TestStripeGateway(GatewayContract):
    """The real adapter and the real SDK; only the address is that of the fake provider."""

    @pytest.fixture
    def gateway(self, provider: FakeProvider, settings: Settings) -> Gateway:
        settings.STRIPE_SECRET_KEY = "sk_test_contract"
        settings.STRIPE_API_BASE = provider.url
        return StripeGateway()


def test_a_provider_that_is_not_there_is_unavailable(settings: Settings) -> None:
    settings.FAKE_PROVIDER_URL = "http://127.0.0.1:9"
    with pytest.raises(Unavailable):
        opened(FakeGateway())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot json!",
        b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"status":"unknown"}',
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n[]",
        b'HTTP/1.1 400 Bad Request\r\nContent-Length: 12\r\n\r\n{"error":{}}',
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
        with pytest.raises(InDoubt) as doubt:
            FakeGateway().confirm(ref="pi_x", key=new_key(), token="tok_success")
        assert not doubt.value.answered
        thread.join()


def test_a_payment_keeps_the_provider_that_it_was_begun_with(settings: Settings) -> None:
    settings.PAYMENT_PROVIDER = "another"
    assert isinstance(chosen_gateway("fake"), FakeGateway)
    with pytest.raises(LookupError, match="another"):
        chosen_gateway()


def test_the_api_version_is_pinned_and_no_request_is_sent_twice(provider: FakeProvider) -> None:
    """Guard: NETWORK_RETRIES; the SDK would repeat what it is told to try again."""
    heard = len(provider.events("request"))
    provider.provoke("rate_limit", requests=1, retry_after=1)
    with pytest.raises(InDoubt):
        opened(FakeGateway())
    _, asked = provider.events("request")[heard:]
    assert asked["path"] == "/v1/payment_intents"
    assert asked["version"] == "2026-10-28.endive"


@pytest.mark.parametrize(
    ("token", "sent"),
    [
        ("tok_1", {"payment_method_data": {"type": "card", "card": {"token": "tok_1"}}}),
        ("pm_1", {"payment_method": "pm_1"}),
        ("ctoken_1", {"confirmation_token": "ctoken_1"}),
    ],
)
def test_a_confirm_names_the_token_as_stripe_wants_its_kind(
    provider: FakeProvider, token: str, sent: object
) -> None:
    with pytest.raises(Declined):  # the fake provider has no such token
        paid(FakeGateway(), token)
    assert provider.events("request")[-1]["parameters"] == sent
