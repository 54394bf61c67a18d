"""GET /orders: one's own orders; anybody else's does not exist."""

from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, User
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from orders import services
from orders.models import DATABASE
from orders.tests.posting import order

pytestmark = pytest.mark.django_db(databases=["default", "orders"])

LIST = "/api/v1/orders"


@dataclass(frozen=True)
class GuestToken:
    """What stands in ``request.auth`` for a guest who shows the token of their order."""

    checkout_id: UUID


@pytest.fixture
def ada() -> User:
    return get_user_model().objects.create_user("ada")


def _client(user: User | AnonymousUser, token: Any = None) -> APIClient:
    client = APIClient()
    client.force_authenticate(user, token)
    return client


def _guest(saga_id: UUID) -> APIClient:
    return _client(AnonymousUser(), GuestToken(saga_id))


def _order(user: User) -> tuple[UUID, str]:
    saga_id, created = order(principal=f"user:{user.pk}")
    return saga_id, created["number"]


def _numbers(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return [shown["number"] for shown in answer.json()["results"]]


def test_an_order_shows_everything_that_is_the_shoppers_own(ada: User) -> None:
    saga_id, number = _order(ada)
    services.confirm_order(saga_id=saga_id)
    shown = _client(ada).get(f"{LIST}/{number}").json()
    assert shown.pop("created_at")
    events = shown.pop("events")
    assert [(event["kind"], event["reason"]) for event in events] == [
        ("created", ""),
        ("confirmed", ""),
    ]
    assert all(event["happened_at"] for event in events)
    assert shown == {
        "number": number,
        "status": "CONFIRMED",
        "total": {"amount": 3390, "currency": "EUR"},
        "email": "ada@example.com",
        "shipping_address": {
            "name": "Ada Lovelace",
            "line1": "12 St James's Square",
            "line2": "",
            "city": "London",
            "postal_code": "SW1Y 4JH",
            "country": "GB",
        },
        "lines": [
            {
                "sku": "MUG",
                "name": "Blue mug",
                "quantity": 2,
                "unit_price": 1250,
                "line_total": 2500,
            },
            {
                "sku": "TEA",
                "name": "Earl Grey",
                "quantity": 1,
                "unit_price": 890,
                "line_total": 890,
            },
        ],
        "cancel_reason": "",
    }


def test_the_list_has_the_callers_orders_newest_first(ada: User) -> None:
    eve = get_user_model().objects.create_user("eve")
    mine = [_order(ada)[1] for _ in range(3)]
    _order(eve)
    order(principal="guest")
    assert sorted(_numbers(_client(ada).get(LIST))) == sorted(mine)


def test_anothers_order_is_not_found(ada: User) -> None:
    eve = get_user_model().objects.create_user("eve")
    _, number = _order(ada)
    answer = _client(eve).get(f"{LIST}/{number}")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("number", ["MG-00000000", "x", "a%00b", "MG-0000000U", "x" * 300])
def test_a_number_that_nobody_has_is_not_found(ada: User, number: str) -> None:
    assert _client(ada).get(f"{LIST}/{number}").status_code == 404


def test_a_guest_sees_the_order_of_the_token_and_no_other() -> None:
    saga_id, created = order(principal="guest")
    _, other = order(principal="guest")
    guest = _guest(saga_id)
    assert guest.get(f"{LIST}/{created['number']}").status_code == 200
    assert guest.get(f"{LIST}/{other['number']}").status_code == 404
    assert _numbers(guest.get(LIST)) == [created["number"]]


def test_a_guest_whose_checkout_made_no_order_sees_none() -> None:
    order(principal="guest")
    assert _numbers(_guest(uuid4()).get(LIST)) == []


def test_a_token_narrows_what_a_signed_in_shopper_sees(ada: User) -> None:
    saga_id, number = _order(ada)
    _order(ada)
    assert _numbers(_client(ada, GuestToken(saga_id)).get(LIST)) == [number]


@pytest.mark.parametrize("path", [LIST, f"{LIST}/MG-00000000"])
def test_a_stranger_is_asked_who_they_are(path: str) -> None:
    answer = APIClient().get(path)
    assert answer.status_code in (401, 403)
    assert answer["Content-Type"] == "application/problem+json"


def test_pages_are_walked_both_ways_without_gaps(ada: User) -> None:
    # One transaction makes them all at the same instant: the page ends inside a tie.
    numbers = {_order(ada)[1] for _ in range(70)}
    client = _client(ada)
    first = client.get(LIST).json()
    second = client.get(first["next"]).json()
    back = client.get(second["previous"]).json()
    assert len(first["results"]) == 50
    assert second["next"] is None
    seen = [shown["number"] for shown in first["results"] + second["results"]]
    assert len(seen) == 70
    assert set(seen) == numbers
    assert back["results"] == first["results"]


@pytest.mark.parametrize("position", ["\x00", "yesterday", "2026-99-99T00:00", "'"])
def test_a_made_up_position_is_not_found(ada: User, position: str) -> None:
    cursor = b64encode(urlencode({"p": position}).encode()).decode()
    assert _client(ada).get(LIST, {"cursor": cursor}).status_code == 404


def test_the_list_takes_three_queries_however_long(
    ada: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, number = _order(ada)
    for _ in range(20):
        _order(ada)
    client = _client(ada)
    with django_assert_num_queries(3, using=DATABASE):
        assert len(_numbers(client.get(LIST))) == 21
    with django_assert_num_queries(3, using=DATABASE):
        client.get(f"{LIST}/{number}")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_orders_are_read_only(ada: User, method: str) -> None:
    _, number = _order(ada)
    answer = getattr(_client(ada), method)(f"{LIST}/{number}", {}, format="json")
    assert answer.status_code == 405
