"""What is so, for every checkout of a run: the five databases, the bank's books, the mails.

The rows are read by SQL of the model's own, so that nothing of the code is taken at its word.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.db import connections

from notifications.tests.conftest import MailServer
from tests.model.outside import Bank, mails_by_id

#: One row, its columns as attributes.
Row = SimpleNamespace
_KINDS = ("confirmation", "apology")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One checkout, as each side has it; rows are None where there is none."""

    saga: Row
    runs: Sequence[Row]
    order: Row | None
    reservation: Row | None
    #: SKU -> units, of its reservation.
    held: Mapping[str, int]
    payment: Row | None
    operations: Sequence[Row]
    #: Kind -> the message's row; and how often it reached the mail server.
    mails: Mapping[str, Row]
    caught: Mapping[str, int]
    #: The bank's own books: the intents made for the payment, their captures and refunds.
    intents: Sequence[Mapping[str, Any]]
    captures: Sequence[Mapping[str, Any]]
    refunds: Sequence[Mapping[str, Any]]

    @property
    def captured(self) -> int:
        """Minor units that the bank took."""
        return sum(capture["amount"] for capture in self.captures)

    @property
    def refunded(self) -> int:
        """Minor units that the bank gave back."""
        return sum(each["amount"] for each in self.refunds if each["status"] == "succeeded")

    @property
    def refunded_by_hand(self) -> bool:
        """Whether an operator recorded that the money went back outside of the bank."""
        return any(each.provider_ref.startswith("by hand") for each in self.operations)


@dataclass(frozen=True, kw_only=True)
class Reality:
    """Everything at one moment."""

    checkouts: Mapping[UUID, Standing]
    shelf: Sequence[Row]
    #: Intents at the bank that belong to no checkout.
    strange_intents: Sequence[Mapping[str, Any]]


def sagas_of(keys: Sequence[str]) -> list[Row]:
    """Return the sagas of these idempotency keys, in the keys' order, accepted or not."""
    sagas = _rows(
        "default",
        "SELECT id, idempotency_key, state, reached, amount, epoch, revision, parked, claimed_at,"
        " results, undone, given_up, lease_until, next_attempt_at"
        " FROM sagas_saga WHERE idempotency_key = ANY(%s)",
        keys,
    )
    for saga in sagas:
        saga.due_at = saga.next_attempt_at or saga.lease_until
        for name in ("results", "undone", "given_up"):
            setattr(saga, name, json.loads(getattr(saga, name)))
    return sorted(sagas, key=lambda saga: keys.index(saga.idempotency_key))


def look(*, keys: Sequence[str], skus: Sequence[str], bank: Bank, post: MailServer) -> Reality:
    """Read how everything stands."""
    sagas = sagas_of(keys)
    ids = [saga.id for saga in sagas]
    payments = _rows(
        "payments",
        "SELECT id, saga_id, amount, status, captured, refunded FROM payments_payment"
        " WHERE saga_id = ANY(%s)",
        ids,
    )
    books = _Books(bank.ledger())
    rows = _DomainRows(ids, [payment.id for payment in payments])
    caught = mails_by_id(post)
    standings = {}
    for saga in sagas:
        payment = _first(payments, saga_id=saga.id)
        reservation = _first(rows.reservations, saga_id=saga.id)
        intents = books.intents_for(payment.id) if payment else []
        refs = [intent["id"] for intent in intents]
        standings[saga.id] = Standing(
            saga=saga,
            runs=[run for run in rows.runs if run.saga_id == saga.id],
            order=_first(rows.orders, saga_id=saga.id),
            reservation=reservation,
            held={line.sku: line.quantity for line in rows.lines if line.saga_id == saga.id},
            payment=payment,
            operations=[o for o in rows.operations if payment and o.payment_id == payment.id],
            mails={mail.kind: mail for mail in rows.mails if mail.saga_id == saga.id},
            caught={
                kind: sum(n for ref, n in caught.items() if ref.startswith(f"<{kind}.{saga.id}@"))
                for kind in _KINDS
            },
            intents=intents,
            captures=[c for ref in refs for c in books.captures.get(ref, [])],
            refunds=[each for each in books.refunds if each["payment_intent"] in refs],
        )
    known = {str(payment.id) for payment in payments}
    return Reality(
        checkouts=standings,
        shelf=_rows(
            "inventory",
            "SELECT sku, on_hand, reserved FROM inventory_stock WHERE sku = ANY(%s)",
            skus,
        ),
        strange_intents=[
            intent
            for intent in books.intents
            if intent["metadata"].get("payment_id", "") not in known
        ],
    )


class _DomainRows:
    """The rows of all checkouts of a run."""

    def __init__(self, saga_ids: Sequence[UUID], payment_ids: Sequence[UUID]) -> None:
        self.runs = _rows(
            "default",
            "SELECT saga_id, step, direction, outcome FROM sagas_steprun WHERE saga_id = ANY(%s)"
            " ORDER BY id",
            saga_ids,
        )
        self.orders = _rows(
            "orders",
            "SELECT saga_id, status, total FROM orders_order WHERE saga_id = ANY(%s)",
            saga_ids,
        )
        self.reservations = _rows(
            "inventory",
            "SELECT saga_id, status FROM inventory_reservation WHERE saga_id = ANY(%s)",
            saga_ids,
        )
        self.lines = _rows(
            "inventory",
            "SELECT r.saga_id, l.sku, l.quantity FROM inventory_reservationline l"
            " JOIN inventory_reservation r ON r.id = l.reservation_id WHERE r.saga_id = ANY(%s)",
            saga_ids,
        )
        self.operations = _rows(
            "payments",
            "SELECT payment_id, kind, status, provider_ref FROM payments_paymentoperation"
            " WHERE payment_id = ANY(%s)",
            payment_ids,
        )
        self.mails = _rows(
            "notifications",
            "SELECT saga_id, kind, status FROM notifications_message WHERE saga_id = ANY(%s)",
            saga_ids,
        )


class _Books:
    """The bank's ledger."""

    def __init__(self, ledger: Mapping[str, Any]) -> None:
        self.intents: Sequence[Mapping[str, Any]] = ledger["intents"]
        self.refunds: Sequence[Mapping[str, Any]] = ledger["refunds"]
        self.captures: Mapping[str, Sequence[Mapping[str, Any]]] = ledger["captures"]

    def intents_for(self, payment_id: UUID) -> Sequence[Mapping[str, Any]]:
        """Return the intents that were made for a payment."""
        wanted = str(payment_id)
        return [each for each in self.intents if each["metadata"].get("payment_id") == wanted]


def _rows(alias: str, sql: str, ids: Sequence[object]) -> list[Row]:
    if not ids:
        return []
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, [list(ids)])
        names = [column.name for column in cursor.description or ()]
        return [Row(**dict(zip(names, values, strict=True))) for values in cursor.fetchall()]


def _first(rows: Sequence[Row], *, saga_id: UUID) -> Row | None:
    return next((row for row in rows if row.saga_id == saga_id), None)
