"""Payment tokens are forgotten in time; what was charged with them stays known."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from payments import tasks
from payments.models import DATABASE, PaymentMethod
from payments.tests.checkout import TOTAL, Checkout
from payments.tests.provider import FakeProvider

pytestmark = pytest.mark.django_db(databases=["payments"], transaction=True)


def _let_days_pass(days: int) -> None:
    PaymentMethod.objects.using(DATABASE).update(created_at=Now() - timedelta(days=days))


def test_tokens_are_purged_after_thirty_days(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_success")
    checkout.charge()
    _let_days_pass(29)
    tasks.purge_methods()
    assert PaymentMethod.objects.using(DATABASE).count() == 1
    _let_days_pass(31)
    young = Checkout(token="tok_success")
    tasks.purge_methods(a_later_versions_argument=1)
    left = PaymentMethod.objects.using(DATABASE).values_list("pk", flat=True)
    assert list(left) == [young.saga_id]
    assert checkout.money.captured == TOTAL
    assert checkout.charge()["charged"] == TOTAL
    assert checkout.reverse() == {"refunded": TOTAL}
