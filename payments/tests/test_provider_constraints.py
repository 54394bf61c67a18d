"""What the database refuses of authorisations, webhooks, refunds and disputes, each rule alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from payments.models import (
    DATABASE,
    EventStatus,
    Payment,
    ProviderEvent,
    ProviderMovement,
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


def _event(**values: Any) -> ProviderEvent:
    given = {"provider": "fake", "event_id": "evt_1", "kind": "x", "told_at": Now(), **values}
    return ProviderEvent.objects.using(DATABASE).create(**given)


def _movement(payment: Payment, **values: Any) -> ProviderMovement:
    given = {"kind": "refund", "provider_ref": "re_1", "amount": 100, "is_ours": False, **values}
    return ProviderMovement.objects.using(DATABASE).create(
        payment=payment, status="succeeded", **given
    )


@pytest.mark.parametrize(
    "held",
    [{"provider_ref": "pi_1"}, {"manual_capture": True}],
    ids=["charged at once", "no intent"],
)
@pytest.mark.parametrize("status", [Status.AUTHORISED, Status.CAPTURING])
def test_what_is_held_is_to_be_captured(held: dict[str, Any], status: Status) -> None:
    with _refused_by("payments_authorised_to_be_captured"):
        _payment(status=status, **held)


def test_a_dispute_is_never_below_nothing() -> None:
    with _refused_by("payments_disputed_not_negative"):
        _payment(disputed=-1)


def test_an_event_is_kept_once() -> None:
    _event()
    with _refused_by("payments_one_row_an_event"):
        _event()
    _event(provider="another")


@pytest.mark.parametrize(
    "contradiction",
    [
        {"status": EventStatus.RECEIVED, "next_attempt_at": None},
        {"status": EventStatus.PROCESSED, "next_attempt_at": Now()},
        {"status": EventStatus.GIVEN_UP, "next_attempt_at": Now()},
    ],
)
def test_an_event_is_due_or_done(contradiction: dict[str, Any]) -> None:
    with _refused_by("payments_event_is_due_or_done"):
        _event(**contradiction)


def test_a_movement_is_kept_once() -> None:
    payment = _payment()
    _movement(payment)
    with _refused_by("payments_one_row_a_movement"):
        _movement(payment)
    _movement(payment, kind="dispute")


def test_a_movement_is_over_something() -> None:
    with _refused_by("payments_movement_not_negative"):
        _movement(_payment(), amount=-1)
