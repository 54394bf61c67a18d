"""A receiver knows that a request is ours, that it is new, and that it has seen it before."""

import time

import pytest
from pytest_django import Settings

from notifications.tests import hooks
from notifications.tests.receiver import Receiver
from notifications.webhooks import signing, steering

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)


def test_a_request_says_what_happened_and_nothing_of_persons(receiver: Receiver) -> None:
    to = hooks.endpoint(receiver.url)
    event = hooks.happens()
    hooks.send(to)
    [request] = receiver.requests
    assert request.path == "/hooks?shop=1"
    assert request.document == {
        "type": "order_confirmed",
        "timestamp": "2026-11-23T12:00:00+00:00",
        "aggregate": "order:1",
        "sequence": 1,
        "data": {
            "number": "MG-7K3M9QXA",
            "total": 2501,
            "currency": "EUR",
            "checkout_id": "00000000-0000-0000-0000-000000000007",
        },
    }
    assert request.id == str(event.id)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_its_signature_is_what_the_standard_says(receiver: Receiver) -> None:
    """Checked by the receiver's own lines, against the secret that staff were shown."""
    to = hooks.endpoint(receiver.url)
    secret = steering.show_secret(to.pk)
    assert secret is not None
    hooks.happens()
    hooks.send(to)
    [request] = receiver.requests
    assert request.is_signed_with(secret)
    assert not request.is_signed_with(signing.secret_of(signing.new_seed()))
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 30
    request.body += b" "
    assert not request.is_signed_with(secret)


def test_a_new_secret_and_the_one_before_both_sign_for_a_day(receiver: Receiver) -> None:
    to = hooks.endpoint(receiver.url)
    old = steering.show_secret(to.pk)
    steering.rotate(to.pk)
    new = steering.show_secret(to.pk)
    assert old
    assert new
    assert old != new
    hooks.happens()
    hooks.send(hooks.again(to))
    [request] = receiver.requests
    assert request.is_signed_with(old)
    assert request.is_signed_with(new)

    type(to).objects.using("notifications").update(previous_until="2026-01-01T00:00Z")
    hooks.happens()
    hooks.send(hooks.again(to))
    assert not receiver.requests[-1].is_signed_with(old)
    assert receiver.requests[-1].is_signed_with(new)


def test_a_secret_is_shown_once(receiver: Receiver) -> None:
    to = hooks.endpoint(receiver.url)
    assert steering.show_secret(to.pk) is not None
    assert steering.show_secret(to.pk) is None


def test_the_database_alone_does_not_give_a_secret_away(settings: Settings) -> None:
    seed = signing.new_seed()
    before = signing.secret_of(seed)
    settings.WEBHOOK_KEY = "another"
    assert signing.secret_of(seed) != before
