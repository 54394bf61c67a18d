"""Over https the certificate must be the name's, though a checked address is dialled.

``localhost.pem`` is a certificate of its own for the name localhost, and for no address; it was
made for this test and proves nothing to anybody else.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from notifications.models import DeliveryStatus
from notifications.tests import hooks
from notifications.tests.receiver import Receiver, listening
from notifications.webhooks import conversation

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)

CERTIFICATE = Path(__file__).with_name("localhost.pem")


@pytest.fixture
def tls() -> Iterator[Receiver]:
    with listening(certificate=CERTIFICATE) as receiver:
        yield receiver


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """OpenSSL's own variable: what the file holds is trusted, as a shop's own authority is."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    conversation._trusted.cache_clear()
    yield
    conversation._trusted.cache_clear()


def url(receiver: Receiver, host: str) -> str:
    return f"https://{host}:{receiver.port}/hooks"


@pytest.mark.usefixtures("trusted")
def test_a_name_with_a_certificate_gets_its_event(tls: Receiver) -> None:
    to = hooks.endpoint(url(tls, "localhost"))
    hooks.happens()
    hooks.send(to)
    assert hooks.deliveries()[0].status == DeliveryStatus.DELIVERED
    assert tls.requests[0].headers["host"] == f"localhost:{tls.port}"


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_name_gets_nothing(tls: Receiver) -> None:
    to = hooks.endpoint(url(tls, "127.0.0.1"))
    hooks.happens()
    hooks.send(to)
    assert (tls.requests, hooks.deliveries()[0].last_error) == ([], "ConnectError")


def test_a_certificate_that_nobody_vouches_for_gets_nothing(tls: Receiver) -> None:
    to = hooks.endpoint(url(tls, "localhost"))
    hooks.happens()
    hooks.send(to)
    assert (tls.requests, hooks.deliveries()[0].last_error) == ([], "ConnectError")
