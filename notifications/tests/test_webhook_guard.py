"""Webhooks go to public addresses only, and to the one that was checked."""

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from notifications.tests import hooks
from notifications.tests.receiver import Receiver
from notifications.webhooks import guard

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)
def test_addresses_that_only_we_can_reach_are_refused(address: str) -> None:
    assert not guard.is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34"])
def test_addresses_that_anybody_can_reach_are_fine(address: str) -> None:
    assert guard.is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1"])
def test_in_production_nothing_is_sent_to_our_own_network(
    receiver: Receiver, settings: Settings, host: str
) -> None:
    """The last two are spellings of 127.0.0.1 that a comparison of names would miss."""
    to = hooks.endpoint(receiver.url.replace("127.0.0.1", host))
    settings.WEBHOOK_ALLOW_PRIVATE = False
    hooks.happens()
    hooks.send(to)
    assert receiver.requests == []
    assert hooks.deliveries()[0].last_error in ("address-not-public", "InvalidURL")


def test_a_name_is_dialled_at_the_address_that_was_checked(receiver: Receiver) -> None:
    to = hooks.endpoint(receiver.url.replace("127.0.0.1", "localhost"))
    hooks.happens()
    hooks.send(to)
    [request] = receiver.requests
    assert request.headers["host"] == f"localhost:{receiver.port}"


def test_a_name_that_does_not_resolve_is_a_failure() -> None:
    to = hooks.endpoint("http://nowhere.invalid/")
    hooks.happens()
    hooks.send(to)
    assert hooks.deliveries()[0].last_error == "name-not-resolved"


@pytest.mark.parametrize(
    ("url", "mend"),
    [
        ("http://shop.example/hooks", "Use https://"),
        ("ftp://shop.example/hooks", "Use https://"),
        ("http://localhost.shop.example/", "Use https://"),
        ("https://user:secret@shop.example/", "Leave user and password out"),
        ("https:///hooks", "with a host"),
        ("https://shop.example:0/", "with a host"),
        ("https://shop.example:99999/", "Write a URL such as"),
        ("https://shop.example/#part", "after #"),
    ],
)
def test_a_url_that_will_not_do_is_refused_with_the_mend(url: str, mend: str) -> None:
    with pytest.raises(ValidationError, match=mend):
        guard.check_url(url)


def test_plain_http_is_for_the_loopback_in_development(settings: Settings) -> None:
    guard.check_url("http://127.0.0.1:8000/hooks")
    guard.check_url("https://shop.example/hooks?shop=1")
    settings.WEBHOOK_ALLOW_PRIVATE = False
    with pytest.raises(ValidationError, match="https"):
        guard.check_url("http://127.0.0.1:8000/hooks")
