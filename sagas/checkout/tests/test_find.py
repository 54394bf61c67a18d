"""The find box leads from whatever somebody quotes to the pages about it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.models import Reservation
from notifications.models import Message
from orders.models import Order
from payments.models import Payment
from sagas.checkout.find import MOST_SHOWN
from sagas.checkout.tests.shopping import EMAIL, Shopper, id_of, new_key
from sagas.models import Saga
from sagas.tests.conftest import drive

pytestmark = [
    pytest.mark.django_db(databases="__all__", transaction=True),
    pytest.mark.usefixtures("provider", "smtp"),
]

FIND = "/admin/find/"
PARTS = (Order, Payment, Reservation, Message)


def viewer(*models: str) -> Client:
    """Return a member of staff who may see rows of these models, and no others."""
    person = User.objects.create_user("vera", is_staff=True)
    codenames = [f"view_{model}" for model in models]
    person.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def vera(transactional_db: None) -> Client:
    return viewer("saga", "order", "payment", "reservation", "message")


@pytest.fixture
def payments_are_silent() -> Iterator[None]:
    """Nothing listens where the payments' database is said to be."""
    connection = connections["payments"]
    before = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict |= {"HOST": "127.0.0.1", "PORT": "1"}
    yield
    connection.close()
    connection.settings_dict |= before


def bought(guest: Shopper, **changes: Any) -> Saga:
    return drive(id_of(guest.place(**changes)))


def one(model: type[Any], saga: Saga) -> Any:
    return model._default_manager.using(model._meta.app_label).get(saga_id=saga.pk)


QUOTED: dict[str, Callable[[Saga], Any]] = {
    "e-mail": lambda saga: EMAIL,
    "e-mail in another case": lambda saga: f"  {EMAIL.upper()} ",
    "order number": lambda saga: one(Order, saga).number,
    "order number in another case": lambda saga: one(Order, saga).number.lower(),
    "saga": lambda saga: saga.pk,
    "saga without dashes": lambda saga: saga.pk.hex,
    "idempotency key": lambda saga: saga.idempotency_key,
    "the provider's id": lambda saga: one(Payment, saga).provider_ref,
    "order": lambda saga: one(Order, saga).pk,
    "payment": lambda saga: one(Payment, saga).pk,
    "reservation": lambda saga: one(Reservation, saga).pk,
    "message": lambda saga: one(Message, saga).pk,
}


@pytest.mark.parametrize("quoted", QUOTED)
def test_one_checkout_is_shown_at_once(guest: Shopper, vera: Client, quoted: str) -> None:
    saga = bought(guest)
    bought(guest, email="somebody.else@example.org")
    answer = vera.get(FIND, {"q": str(QUOTED[quoted](saga))})
    assert answer.status_code == 302
    assert answer["Location"] == reverse("admin:sagas_saga_change", args=[saga.pk])


def test_several_checkouts_are_listed_with_links_to_all_their_parts(
    guest: Shopper, vera: Client
) -> None:
    sagas = [bought(guest), bought(guest)]
    page = vera.get(FIND, {"q": EMAIL}).text
    assert "2 checkouts" in page
    for saga in sagas:
        assert one(Order, saga).number in page
        for model in PARTS:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
            link = reverse(name, args=[one(model, saga).pk])
            assert f'href="{link}"' in page
            assert vera.get(link).status_code == 200


@pytest.mark.parametrize("text", ["nobody@example.org", "MG-AAAAAAAA", "%", "\0", "x" * 5000, ""])
def test_what_is_not_there_is_not_found(guest: Shopper, vera: Client, text: str) -> None:
    bought(guest)
    answer = vera.get(FIND, {"q": text})
    assert answer.status_code == 200
    assert ("Nothing has exactly this value" if text else "Nothing asked yet") in answer.text


def test_a_part_of_an_address_finds_nothing(guest: Shopper, vera: Client) -> None:
    bought(guest)
    assert "Nothing has exactly" in vera.get(FIND, {"q": EMAIL[1:]}).text


def test_what_is_typed_is_shown_as_text(vera: Client) -> None:
    page = vera.get(FIND, {"q": '"><script>alert(1)</script>'}).text
    assert "<script>alert" not in page


def test_links_to_pages_that_the_viewer_may_not_see_are_left_out(guest: Shopper) -> None:
    bought(guest)
    bought(guest)
    page = viewer("saga", "order").get(FIND, {"q": EMAIL}).text
    assert "/admin/orders/order/" in page
    assert "/admin/payments/payment/" not in page


def test_only_those_who_may_see_sagas_may_find(guest: Shopper, client: Client) -> None:
    assert viewer("order").get(FIND, {"q": EMAIL}).status_code == 403
    assert client.get(FIND).status_code == 302, "a stranger is sent to the login"


def test_the_box_stands_on_every_page(vera: Client) -> None:
    for page in ("/admin/", "/admin/orders/order/", FIND):
        assert f'action="{FIND}"' in vera.get(page).text


def test_a_database_that_is_silent_is_named_and_the_others_answer(
    guest: Shopper, vera: Client, request: pytest.FixtureRequest
) -> None:
    bought(guest)
    bought(guest)
    request.getfixturevalue("payments_are_silent")
    page = vera.get(FIND, {"q": EMAIL}).text
    assert "Payments does not answer just now" in page
    assert "2 checkouts" in page


def queries(vera: Client, text: str) -> dict[str, int]:
    with ExitStack() as stack:
        asked = {
            alias: stack.enter_context(CaptureQueriesContext(connections[alias]))
            for alias in connections
        }
        assert vera.get(FIND, {"q": text}).status_code == 200
        return {alias: len(each) for alias, each in asked.items()}


def test_the_number_of_queries_does_not_depend_on_what_is_found(
    guest: Shopper, vera: Client
) -> None:
    bought(guest)
    bought(guest)
    few = queries(vera, EMAIL)
    for _ in range(5):
        bought(guest)
    assert queries(vera, EMAIL) == few
    assert all(few.values()), "every database is asked"


def test_who_has_very_many_checkouts_sees_the_newest(guest: Shopper, vera: Client) -> None:
    ids = [id_of(guest.place(key=new_key())) for _ in range(2)]
    first = Saga.objects.using("default").get(pk=ids[0])
    copies = [
        Order(
            saga_id=uuid4(), number=f"N{n}", total=1, currency="EUR", principal="guest", email=EMAIL
        )
        for n in range(MOST_SHOWN + 1)
    ]
    Order.objects.using("orders").bulk_create(copies)
    for n, copy in enumerate(copies):
        first.pk, first.idempotency_key = copy.saga_id, f"copy-{n}"
        first.save(using="default", force_insert=True)
    page = vera.get(FIND, {"q": EMAIL}).text
    assert f"Only the newest {MOST_SHOWN} are shown" in page


def test_what_is_typed_is_never_logged(
    guest: Shopper, vera: Client, caplog: pytest.LogCaptureFixture
) -> None:
    bought(guest)
    bought(guest)
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    assert "2 checkouts" in vera.get(FIND, {"q": EMAIL}).text
    assert not any(EMAIL in record.getMessage() for record in caplog.records)
