"""What the database refuses of payments, their operations and their parts, each rule alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from payments.models import (
    DATABASE,
    Kind,
    OperationStatus,
    PartialRefund,
    PartStatus,
    Payment,
    PaymentMethod,
    PaymentOperation,
    Status,
)

pytestmark = pytest.mark.django_db(databases=[DATABASE])


@contextmanager
def _refused_by(constraint: str) -> Iterator[None]:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic(using=DATABASE):
        yield


def _payment(**values: Any) -> Payment:
    given = {"saga_id": uuid4(), "order_id": uuid4(), "amount": 100, "currency": "EUR", **values}
    return Payment.objects.using(DATABASE).create(provider="fake", **given)


def _operation(payment: Payment, **values: Any) -> PaymentOperation:
    given = {
        "kind": Kind.CHARGE,
        "generation": 1,
        "idempotency_key": str(uuid4()),
        "amount": 100,
        **values,
    }
    return PaymentOperation.objects.using(DATABASE).create(payment=payment, **given)


@pytest.mark.parametrize("money", [{"captured": 100, "refunded": 101}, {"refunded": -1}])
def test_no_more_is_given_back_than_was_taken(money: dict[str, int]) -> None:
    # The status does not agree either: rules are checked in the order of their names.
    with _refused_by("payments_refunded_le_captured_le_amount"):
        _payment(provider_ref="pi_1", status=Status.SUCCEEDED, **money)


def test_a_part_is_never_captured() -> None:
    with _refused_by("payments_captured_whole_or_not"):
        _payment(provider_ref="pi_1", status=Status.SUCCEEDED, captured=50)


def test_a_payment_is_over_something() -> None:
    with _refused_by("payments_amount_positive"):
        _payment(amount=0)


def test_a_key_is_given_once() -> None:
    _operation(_payment(), idempotency_key="once")
    with _refused_by("payments_operation_key"):
        _operation(_payment(), idempotency_key="once")


def test_a_generation_is_there_once() -> None:
    payment = _payment()
    settled = {"status": OperationStatus.FAILED, "settled_at": Now()}
    _operation(payment, **settled)
    with _refused_by("payments_operation_generation"):
        _operation(payment, **settled)


def test_one_operation_of_a_kind_is_open() -> None:
    payment = _payment()
    _operation(payment)
    _operation(payment, kind=Kind.REFUND)
    with _refused_by("payments_one_unsettled_a_kind"):
        _operation(payment, generation=2)


@pytest.mark.parametrize(("kind", "amount"), [(Kind.CANCEL, 100), (Kind.CHARGE, 0)])
def test_an_operation_has_the_amount_of_its_kind(kind: Kind, amount: int) -> None:
    with _refused_by("payments_operation_amount"):
        _operation(_payment(), kind=kind, amount=amount)


@pytest.mark.parametrize(
    "values",
    [{"settled_at": Now()}, {"status": OperationStatus.FAILED}],
    ids=["open with a time", "settled without"],
)
def test_what_is_settled_has_its_time(values: dict[str, Any]) -> None:
    with _refused_by("payments_settled_means_settled"):
        _operation(_payment(), **values)


def _part(**values: Any) -> PartialRefund:
    given = {"saga_id": uuid4(), "amount": 10, **values}
    return PartialRefund.objects.using(DATABASE).create(payment=_payment(), **given)


def test_a_saga_has_one_part() -> None:
    first = _part()
    with _refused_by("payments_one_part_a_saga"):
        _part(saga_id=first.saga_id)


def test_a_part_is_over_something() -> None:
    with _refused_by("payments_part_positive"):
        _part(amount=0)


@pytest.mark.parametrize(
    "values",
    [{"settled_at": Now()}, {"status": PartStatus.FAILED}],
    ids=["open with a time", "settled without"],
)
def test_a_part_that_is_settled_has_its_time(values: dict[str, Any]) -> None:
    with _refused_by("payments_part_settled_means_settled"):
        _part(**values)


def test_a_payment_method_has_a_token() -> None:
    with _refused_by("payments_method_has_a_token"):
        PaymentMethod.objects.using(DATABASE).create(checkout_id=uuid4(), token="")
