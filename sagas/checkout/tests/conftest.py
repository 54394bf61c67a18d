"""Fixtures of the checkout's tests: a shelf, a guest, a customer, the provider, a mail server."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from notifications.tests.conftest import MailServer, smtp
from payments.tests.conftest import mortal_provider, provider, running_provider
from payments.tests.provider import FakeProvider
from sagas.auditor import Seen
from sagas.checkout.audit.auditor import CheckoutAuditor
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
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let something happen between the read of the sagas and that of the domains, look by look."""
    looked = CheckoutAuditor.look

    def let(*acts: Callable[[], Any]) -> None:
        left = list(acts)

        def look(self: CheckoutAuditor, *args: Any, **kwargs: Any) -> Seen:
            if left:
                left.pop(0)()
            return looked(self, *args, **kwargs)

        monkeypatch.setattr(CheckoutAuditor, "look", look)

    return let


@pytest.fixture
def shop(guest: Shopper, mortal_provider: FakeProvider, smtp: MailServer, vandal: Vandal) -> Shop:
    return Shop(guest, vandal)


@pytest.fixture
def complete(shop: Shop) -> Scene:
    return shop.complete()
