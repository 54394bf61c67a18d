"""Fixtures of the tests after the sale: an order that is paid, and whoever asks for money back."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from inventory.models import Stock
from notifications.tests.conftest import MailServer, smtp
from orders.models import Order
from payments.models import Payment
from payments.tests.conftest import mortal_provider
from payments.tests.provider import FakeProvider
from sagas.aftersales import intake
from sagas.checkout.tests.conftest import guest, meanwhile, shelf, vandal
from sagas.checkout.tests.shopping import Shopper, id_of, new_key
from sagas.models import Saga
from sagas.tests.conftest import drive

__all__ = ["guest", "meanwhile", "mortal_provider", "shelf", "smtp", "vandal"]

#: Two mugs.
TOTAL, MUG = 2500, 1250


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-offs are due at once."""
    monkeypatch.setattr("sagas.definitions.Retry.delay_after", lambda self, attempts: 0.0)


@dataclass
class Sale:
    """A checkout that is complete, and its shopper."""

    guest: Shopper
    placed: Any

    @property
    def order(self) -> Order:
        return Order.objects.using("orders").prefetch_related("lines").get(saga_id=self.checkout_id)

    @property
    def checkout_id(self) -> Any:
        return id_of(self.placed)

    @property
    def payment(self) -> Payment:
        return Payment.objects.using("payments").get(saga_id=self.checkout_id)

    @property
    def reserved(self) -> int:
        return Stock.objects.using("inventory").get(pk="MUG").reserved

    def cancel(self) -> Any:
        return self._call("post", "cancellation")

    def look(self) -> Any:
        return self._call("get", "cancellation")

    def _call(self, method: str, what: str) -> Any:
        proof = {"Authorization": f"Order {self.placed.json()['order_token']}"}
        url = f"/api/v1/orders/{self.order.number}/{what}"
        return getattr(self.guest.http, method)(url, headers=proof)


@dataclass
class Staff:
    """A member of staff who gives parts of orders back."""

    user: User
    http: APIClient

    def refund(self, sale: Sale, *, key: str | None = None, **body: Any) -> Any:
        url = f"/api/v1/orders/{sale.order.number}/refunds"
        headers = {"Idempotency-Key": key or new_key()}
        body.setdefault("reason", "damaged")
        return self.http.post(url, body, format="json", headers=headers)


@pytest.fixture
def provider(mortal_provider: FakeProvider) -> FakeProvider:
    """One whose books begin with the test: the audit reads all of them."""
    return mortal_provider


@pytest.fixture
def outside(provider: FakeProvider, smtp: MailServer) -> None:
    """What a checkout talks to."""


@pytest.fixture
def sale(outside: None, guest: Shopper) -> Sale:
    return sell(guest)


@pytest.fixture
def staff(db: None) -> Staff:
    user = User.objects.db_manager("default").create_superuser("olga", password="secret")
    http = APIClient()
    http.force_authenticate(user)
    return Staff(user, http)


def sell(guest: Shopper, **changes: Any) -> Sale:
    """Return a checkout that is complete."""
    placed = guest.place(**changes)
    assert drive(id_of(placed)).state == "COMPLETE"
    return Sale(guest, placed)


def follower(sale: Sale, kind: str) -> Saga:
    """Return the newest saga of a kind that follows a sale."""
    return intake._followers(sale.order, kind).get()
