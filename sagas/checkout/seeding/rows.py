"""The rows of one seeded checkout in all five databases, consistent with each other."""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sagas.checkout.seeding.fates import Fate

Row = tuple[Any, ...]
SKUS = [f"SEED-{n:03}" for n in range(1, 201)]
#: In minor units.
PRICES = {sku: 490 + 137 * n % 9_500 for n, sku in enumerate(SKUS)}
CURRENCY = "EUR"

#: (database, table) -> columns, in the order in which a batch is written.
TABLES: dict[tuple[str, str], str] = {
    ("default", "sagas_saga"): (
        "id, kind, version, state, reached, principal, idempotency_key, request_fingerprint, "
        "amount, currency, input, results, undone, given_up, epoch, revision, claimed_at, "
        "lease_until, next_attempt_at, attempts, recoveries, deadline_at, parked, parked_at, "
        "reason, reason_step, reason_detail, error_step, error_direction, error_outcome, "
        "error_type, error_message, error_at, created_at, updated_at, finished_at"
    ),
    ("default", "sagas_steprun"): (
        "saga_id, step, direction, attempt, epoch, outcome, worker, duration_ms, error_type, "
        "error_code, error_message, result, recorded_at"
    ),
    ("orders", "orders_order"): (
        "id, saga_id, number, currency, total, status, cancel_reason, created_at, confirmed_at, "
        "cancelled_at, principal, email, shipping_name, shipping_line1, shipping_line2, "
        "shipping_city, shipping_postal_code, shipping_country"
    ),
    ("orders", "orders_orderline"): "order_id, sku, name, quantity, unit_price, line_total",
    ("orders", "orders_orderevent"): "order_id, kind, reason, happened_at",
    ("orders", "orders_receipt"): "id, saga_id, step, done_at, result, undone_at, undo_result",
    ("inventory", "inventory_reservation"): (
        "id, saga_id, order_id, status, created_at, released_at"
    ),
    ("inventory", "inventory_reservationline"): "reservation_id, sku, quantity",
    ("inventory", "inventory_receipt"): (
        "id, saga_id, step, done_at, result, undone_at, undo_result"
    ),
    ("payments", "payments_paymentmethod"): "checkout_id, token, created_at",
    ("payments", "payments_payment"): (
        "id, saga_id, order_id, amount, currency, provider, provider_ref, status, captured, "
        "refunded, decline_code, created_at, updated_at, cancelled_at, checks"
    ),
    ("payments", "payments_paymentoperation"): (
        "id, payment_id, kind, generation, idempotency_key, amount, status, provider_ref, "
        "error_code, key_spent, created_at, settled_at"
    ),
    ("payments", "payments_receipt"): "id, saga_id, step, done_at, result, undone_at, undo_result",
    ("notifications", "notifications_message"): (
        "id, saga_id, kind, order_ref, recipient, subject, text_body, html_body, message_id, "
        "status, attempts, last_error, created_at, sent_at"
    ),
}
_STEPS = (
    ("create_order", "ORDER_CREATED"),
    ("reserve_inventory", "INVENTORY_RESERVED"),
    ("charge_payment", "PAYMENT_CHARGED"),
    ("confirm_order", "ORDER_CONFIRMED"),
    ("send_confirmation", "COMPLETE"),
)
_STATES = ("PENDING", *(state for _, state in _STEPS))
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass
class Batch:
    """Rows by table, and the units that they hold."""

    rows: dict[tuple[str, str], list[Row]] = field(default_factory=lambda: defaultdict(list))
    held: Counter[str] = field(default_factory=Counter)


class Maker:
    """Makes checkouts; the same seed makes the same ones."""

    def __init__(self, chance: random.Random, *, now: datetime) -> None:
        self._chance, self._now = chance, now

    def add(self, fate: Fate, began: datetime, batch: Batch) -> None:
        """Put the rows of one checkout into ``batch``."""
        _Checkout(self._chance, fate, began, self._now, batch).write()


class _Checkout:
    def __init__(
        self,
        chance: random.Random,
        fate: Fate,
        began: datetime,
        now: datetime,
        batch: Batch,
    ) -> None:
        self.chance, self.fate, self.began, self.now, self.batch = chance, fate, began, now, batch
        self.saga, self.order, self.payment = _uuid7(began, chance), _uuid(chance), _uuid(chance)
        chosen = chance.sample(SKUS, chance.choice((1, 1, 1, 2, 3)))
        self.lines = [(sku, chance.randint(1, 3), PRICES[sku]) for sku in chosen]
        self.total = sum(quantity * price for _, quantity, price in self.lines)
        took = timedelta(seconds=min(240.0, chance.lognormvariate(0.2, 0.9)))
        self.ended = began + took
        letters = "".join(chance.choices(_ALPHABET, k=8))
        self.number = f"MG-{letters}"
        self.reached = fate.reached or fate.state
        self.ref = f"pi_{self.payment.hex[:24]}"
        self.email = f"shopper{chance.randrange(10**6)}@example.org"

    def write(self) -> None:
        self._saga()
        self._runs()
        self._order()
        if self.fate.stock:
            self._stock()
        if not self.fate.is_settled:
            self._put("payments", "payments_paymentmethod", self.saga, "tok_success", self.began)
        if self.fate.payment:
            self._payment()
        if self.fate.mail:
            self._mail()

    def _put(self, database: str, table: str, *row: Any) -> None:
        self.batch.rows[database, table].append(row)

    def _saga(self) -> None:
        fate, now = self.fate, self.now
        claimed = lease = due = None
        match fate.waits:
            case "lease":
                lease = now + timedelta(seconds=15)
            case "claimed":
                claimed, lease = now, now + timedelta(seconds=20)
            case "expired":
                # Just now: recovery is about to take it up.
                claimed, lease = now - timedelta(seconds=12), now - timedelta(seconds=2)
            case "backoff":
                due = now + timedelta(minutes=5)
        parked_at = self.ended if fate.parked else None
        error_at = self.ended if fate.error_step else None
        direction = "undo" if fate.state in ("FAILED", "COMPENSATING") else "do"
        self._put(
            "default", "sagas_saga", self.saga, "checkout", fate.version, fate.state, fate.reached,
            "guest", str(self.saga), self.saga.hex * 2, self.total, CURRENCY, "{}",
            json.dumps(self._results()), json.dumps(self._undone()), json.dumps(fate.given_up),
            1, 10, claimed, lease, due, 3 if fate.waits in ("backoff", "parked") else 0, 0,
            self.began + timedelta(minutes=5), fate.parked, parked_at, fate.reason,
            fate.error_step if fate.reason else "", "", fate.error_step,
            direction if fate.error_step else "", fate.error_outcome, fate.error_type,
            "made up" if fate.error_step else "", error_at, self.began, self.ended,
            self.ended if fate.is_settled else None,
        )  # fmt: skip

    def _results(self) -> dict[str, Any]:
        done = _STATES.index(self.reached)
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity, _ in self.lines]
        order = {
            "order_id": str(self.order), "number": self.number, "total": self.total,
            "currency": CURRENCY, "lines": lines,
        }  # fmt: skip
        charged = {
            "payment_id": str(self.payment), "charged": self.total, "currency": CURRENCY,
        }  # fmt: skip
        results: Sequence[dict[str, Any]] = (
            order, {"reservation_id": str(self.order)}, charged,
            {"order_id": str(self.order)}, {"message_id": f"<{self.saga}@seed.invalid>"},
        )  # fmt: skip
        return {name: results[n] for n, (name, _) in enumerate(_STEPS[:done])}

    def _undone(self) -> dict[str, Any]:
        if self.fate.state not in ("COMPENSATED", "FAILED"):
            return {}
        begun = _STEPS[: min(3, _STATES.index(self.reached) + 1)]
        return {name: {} for name, _ in begun if name not in self.fate.given_up}

    def _runs(self) -> None:
        fate = self.fate
        for n, (name, _) in enumerate(_STEPS[: _STATES.index(self.reached)]):
            self._run(name, "do", "succeeded", 1, self.began + timedelta(milliseconds=20 * n))
        if fate.error_step:
            direction = "undo" if fate.given_up or fate.state == "COMPENSATING" else "do"
            tries = 3 if fate.waits in ("backoff", "parked") else 1
            for attempt in range(1, tries + 1):
                self._run(fate.error_step, direction, fate.error_outcome, attempt, self.ended)
        for name in reversed(self._undone()):
            self._run(name, "undo", "succeeded", 1, self.ended)
        if fate.state == "COMPENSATED":
            self._run("send_apology", "follow_up", "succeeded", 1, self.ended)

    def _run(self, step: str, direction: str, outcome: str, attempt: int, at: datetime) -> None:
        failed = outcome != "succeeded"
        self._put(
            "default", "sagas_steprun", self.saga, step, direction, attempt, 1, outcome,
            "seeded@nowhere", self.chance.randint(3, 400), self.fate.error_type if failed else "",
            "", "made up" if failed else "", "{}", at,
        )  # fmt: skip

    def _order(self) -> None:
        status = self.fate.order
        confirmed = self.began if status == "CONFIRMED" else None
        cancelled = self.ended if status == "CANCELLED" else None
        self._put(
            "orders", "orders_order", self.order, self.saga, self.number, CURRENCY, self.total,
            status, self.fate.reason if cancelled else "", self.began, confirmed, cancelled,
            "guest", self.email, "A Shopper", "1 Made-up Road", "", "London", "N1 1AA", "GB",
        )  # fmt: skip
        for sku, quantity, price in self.lines:
            self._put(
                "orders", "orders_orderline", self.order, sku, sku.title(), quantity, price,
                quantity * price,
            )  # fmt: skip
        self._put("orders", "orders_orderevent", self.order, "created", "", self.began)
        if status != "PENDING":
            at = confirmed or cancelled
            self._put("orders", "orders_orderevent", self.order, status.lower(), "", at)
        self._receipt("orders", "create_order", {"order_id": str(self.order)}, cancelled)
        if confirmed:
            self._receipt("orders", "confirm_order", {"order_id": str(self.order)}, None)

    def _stock(self) -> None:
        released = self.ended if self.fate.stock == "RELEASED" else None
        self._put(
            "inventory", "inventory_reservation", self.order, self.saga, self.order,
            self.fate.stock, self.began, released,
        )  # fmt: skip
        for sku, quantity, _ in self.lines:
            self._put("inventory", "inventory_reservationline", self.order, sku, quantity)
            if released is None:
                self.batch.held[sku] += quantity
        result = {"reservation_id": str(self.order)}
        self._receipt("inventory", "reserve_inventory", result, released)

    def _payment(self) -> None:
        status = self.fate.payment
        held = status in ("SUCCEEDED", "REFUNDED", "REVERSING_HELD")
        captured = self.total if held else 0
        refunded = self.total if status == "REFUNDED" else 0
        status = status.removesuffix("_HELD")
        cancelled = self.ended if status == "CANCELLED" else None
        declined = "generic_decline" if self.fate.reason == "card-declined" else ""
        self._put(
            "payments", "payments_payment", self.payment, self.saga, self.order, self.total,
            CURRENCY, "fake", self.ref, status, captured, refunded, declined, self.began,
            self.ended, cancelled, 0,
        )  # fmt: skip
        charge = "SUCCEEDED" if held else "FAILED" if cancelled else "IN_DOUBT"
        self._operation("charge", charge)
        if self.fate.given_up or refunded:
            self._operation("refund", "SUCCEEDED" if refunded else "FAILED")
        if cancelled:
            self._operation("cancel", "SUCCEEDED")
        turned = self.ended if status in ("REVERSING", "CANCELLED", "REFUNDED") else None
        result = {"payment_id": str(self.payment)}
        self._receipt("payments", "begin_charge", result, turned)
        if held:
            charged = {**result, "charged": self.total, "currency": CURRENCY}
            self._receipt("payments", "charge_payment", charged, turned if refunded else None)

    def _operation(self, kind: str, status: str) -> None:
        self._put(
            "payments", "payments_paymentoperation", _uuid(self.chance), self.payment, kind, 1,
            f"makegood-{self.payment}-{kind}-1", 0 if kind == "cancel" else self.total, status,
            "", "", False, self.began, None if status == "IN_DOUBT" else self.ended,
        )  # fmt: skip

    def _mail(self) -> None:
        kind = self.fate.mail
        self._put(
            "notifications", "notifications_message", _uuid(self.chance), self.saga, kind,
            str(self.order), self.email, f"Your {kind}", "Made up.", "<p>Made up.</p>",
            f"<{kind}.{self.saga}@seed.invalid>", "SENT", 1, "", self.ended, self.ended,
        )  # fmt: skip

    def _receipt(
        self, app: str, step: str, result: dict[str, Any], undone: datetime | None
    ) -> None:
        """Without it an undo does nothing. What was made good is never run again."""
        if self.fate.state != "COMPENSATED":
            self._put(
                app, f"{app}_receipt", _uuid(self.chance), self.saga, step, self.began,
                json.dumps(result), undone, json.dumps(result if undone else {}),
            )  # fmt: skip


def _uuid(chance: random.Random) -> UUID:
    return UUID(int=chance.getrandbits(128), version=4)


def _uuid7(at: datetime, chance: random.Random) -> UUID:
    """Return the UUIDv7 (RFC 9562) of a moment in the past."""
    milliseconds = int(at.astimezone(UTC).timestamp() * 1000)
    variant = (0b10 << 62) | chance.getrandbits(62)
    return UUID(int=milliseconds << 80 | 7 << 76 | chance.getrandbits(12) << 64 | variant)
