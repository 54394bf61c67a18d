"""What payments tells of the money, with the money itself."""

from typing import Any

import pytest
from django.db.models.functions import Now

from payments import services
from payments.models import DATABASE, OutboxEvent, Payment
from payments.tests.checkout import TOTAL, Checkout
from payments.tests.provider import FakeProvider

pytestmark = pytest.mark.django_db(databases=["payments"], transaction=True)


def told() -> list[tuple[str, dict[str, Any]]]:
    rows = OutboxEvent.objects.using(DATABASE).order_by("sequence")
    return [(row.type, row.payload) for row in rows]


def test_a_charge_and_its_refund_are_each_told_once(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_success")
    checkout.charge()
    checkout.charge()
    checkout.reverse()
    checkout.reverse()
    says = {
        "payment_id": str(checkout.payment.pk),
        "order_id": str(checkout.order_id),
        "amount": TOTAL,
        "currency": "EUR",
        "late": False,
    }
    assert told() == [("payment_captured", says), ("payment_refunded", says)]


def test_a_declined_charge_tells_nothing(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_declined")
    with pytest.raises(services.CardDeclined):
        checkout.charge()
    checkout.reverse()
    assert told() == []


def test_a_capture_after_its_cancel_and_the_refund_of_it_are_told_as_late(
    provider: FakeProvider,
) -> None:
    checkout = Checkout(token="tok_success_after_cancel_600")
    with pytest.raises(services.PaymentInDoubt):
        checkout.charge()
    checkout.reverse()
    assert told() == []
    provider.advance()
    Payment.objects.using(DATABASE).update(next_check_at=Now())
    services.sweep_late_successes(limit=10)
    assert [(event_type, says["late"]) for event_type, says in told()] == [
        ("payment_captured", True),
        ("payment_refunded", True),
    ]
