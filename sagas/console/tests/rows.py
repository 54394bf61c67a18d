"""Rows of sagas as the dashboard counts them, and somebody who looks."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from django.test import Client
from django.utils import timezone

from sagas.console.tests.conftest import make_groups, staff
from sagas.models import DATABASE, Saga

#: Half past ten in the morning, so that "today" and "24 hours" differ.
NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
CHARGED = {"create_order": {}, "charge_payment": {"payment_id": "1"}}
AHEAD = timedelta(hours=1)


def a_saga(**changes: Any) -> Saga:
    """Make a saga that waits in its lease, or whatever else is asked for."""
    values: dict[str, Any] = {
        "kind": "checkout",
        "version": 1,
        "state": "PENDING",
        "principal": "user:1",
        "idempotency_key": str(uuid4()),
        "request_fingerprint": "f" * 64,
        "amount": 2500,
        "currency": "EUR",
        "deadline_at": timezone.now() + AHEAD,
        "lease_until": timezone.now() + AHEAD,
        **changes,
    }
    if values["state"] in ("COMPLETE", "COMPENSATED"):
        values.setdefault("finished_at", timezone.now())
        values["lease_until"] = changes.get("lease_until")
    return Saga.objects.using(DATABASE).create(**values)


def settled(state: str, *, ended: datetime, took: float = 2.0) -> Saga:
    return a_saga(state=state, created_at=ended - timedelta(seconds=took), finished_at=ended)


def viewer() -> Client:
    make_groups()
    return staff("vera", "viewer")
