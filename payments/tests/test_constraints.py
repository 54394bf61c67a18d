"""The database itself refuses what must never be."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from django.db import IntegrityError, connections, transaction

from payments import records, services
from payments.models import DATABASE, Kind, OperationStatus, Payment, PaymentOperation
from payments.tests.checkout import Checkout
from payments.tests.provider import FakeProvider

pytestmark = pytest.mark.django_db(databases=["default", DATABASE], transaction=True)


@contextmanager
def _refused_by(constraint: str) -> Iterator[None]:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic(using=DATABASE):
        yield


def _payment(checkout: Checkout, sql: str) -> None:
    """Change the row behind the models' back."""
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(
            f"UPDATE payments_payment SET {sql} WHERE saga_id = %s", [str(checkout.saga_id)]
        )


@pytest.fixture
def paid(provider: FakeProvider) -> Checkout:
    checkout = Checkout(token="tok_success")
    checkout.charge()
    return checkout


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("captured = amount + 1", "payments_"),
        ("captured = amount - 1", "payments_captured_whole_or_not|payments_status_agrees"),
        ("status = 'REFUNDED', refunded = amount + 1", "payments_"),
        ("status = 'REVERSING', refunded = -1", "payments_"),
        ("status = 'CANCELLED'", "payments_status_agrees_with_money"),
        ("status = 'REFUNDED'", "payments_status_agrees_with_money"),
        ("status = 'BELIEVED'", "payments_status_agrees_with_money"),
        ("captured = 0", "payments_status_agrees_with_money"),
        ("provider_ref = ''", "payments_captured_has_an_intent"),
        ("currency = 'eur'", "payments_currency_is_iso"),
    ],
)
def test_money_and_status_must_agree(paid: Checkout, change: str, constraint: str) -> None:
    with _refused_by(constraint):
        _payment(paid, change)


def test_a_saga_has_one_payment(paid: Checkout) -> None:
    with _refused_by("payments_one_payment_a_saga"):
        Payment.objects.using(DATABASE).create(
            saga_id=paid.saga_id, order_id=uuid4(), amount=1, currency="EUR", provider="fake"
        )


def test_an_intent_belongs_to_one_payment(paid: Checkout) -> None:
    with _refused_by("payments_one_payment_an_intent"):
        Payment.objects.using(DATABASE).create(
            saga_id=uuid4(),
            order_id=uuid4(),
            amount=1,
            currency="EUR",
            provider="fake",
            provider_ref=paid.intent,
        )


@pytest.mark.parametrize(
    ("kind", "constraint"),
    [
        (Kind.CHARGE, "payments_one_charge_a_payment"),
        (Kind.REFUND, "payments_one_full_refund_a_payment"),
    ],
)
def test_a_payment_has_one_successful_charge_and_one_refund(
    paid: Checkout, kind: Kind, constraint: str
) -> None:
    paid.reverse()
    with _refused_by(constraint):
        PaymentOperation.objects.using(DATABASE).create(
            payment=paid.payment,
            kind=kind,
            generation=2,
            idempotency_key=str(uuid4()),
            amount=1,
            status=OperationStatus.SUCCEEDED,
            settled_at=paid.payment.created_at,
        )


def test_no_call_goes_out_of_an_open_transaction(provider: FakeProvider) -> None:
    """Guard: ``durable`` on every transaction that stands before a call."""
    checkout, paid = Checkout(token="tok_success"), Checkout(token="tok_success")
    paid.charge()
    heard = len(provider.events("request"))

    def refund_part() -> services.Result:
        return services.refund_part(saga_id=uuid4(), checkout_id=paid.saga_id, amount=1)

    for call in (checkout.charge, checkout.reverse, paid.reverse, refund_part):
        with pytest.raises(RuntimeError, match="durable"), transaction.atomic(using=DATABASE):
            call()
    assert len(provider.events("request")) == heard


def test_another_amount_at_the_provider_is_never_recorded(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_success")
    payment, _ = records.begin_charge(
        saga_id=checkout.saga_id,
        order_id=checkout.order_id,
        amount=4999,
        currency="EUR",
        manual_capture=False,
    )
    other = {"amount": 1, "currency": "eur", "metadata": {"payment_id": str(payment.pk)}}
    provider.post("/v1/payment_intents", other).raise_for_status()
    with pytest.raises(services.ProviderDisagrees):
        checkout.charge()
    assert not checkout.intent
