"""Fixtures of the checkout's tests: a shelf, a guest, a customer, the provider, a mail server."""

from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model

from notifications.tests.conftest import MailServer, smtp
from payments.tests.conftest import mortal_provider, provider, running_provider
from payments.tests.provider import FakeProvider
from sagas.checkout.tests.auditing import Vandal, vandalism
from sagas.checkout.tests.breaking import Scene, Shop
from sagas.checkout.tests.shopping import Shopper, stock_the_shelf

__all__ = ["mortal_provider", "provider", "running_provider", "smtp"]


@pytest.fixture
def shelf(db: None) -> None:
    stock_the_shelf()


@pytest.fixture
def guest(shelf: None) -> Shopper:
    return Shopper()


@pytest.fixture
def customer(shelf: None) -> Shopper:
    return Shopper(get_user_model().objects.create_user("ada"))


@pytest.fixture
def vandal(db: None) -> Iterator[Vandal]:
    with vandalism() as vandal:
        yield vandal


@pytest.fixture
def shop(guest: Shopper, mortal_provider: FakeProvider, smtp: MailServer, vandal: Vandal) -> Shop:
    return Shop(guest, vandal)


@pytest.fixture
def complete(shop: Shop) -> Scene:
    return shop.complete()
