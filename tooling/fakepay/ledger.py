"""Intents, captures and refunds: the provider's truth, rebuilt from its journal at the start."""

import secrets
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tooling.fakepay import errors
from tooling.fakepay.journal import Journal

Object = dict[str, Any]

#: Statuses from which a confirm, or a cancel, is allowed.
OPEN = ("requires_payment_method", "requires_confirmation")


class Ledger:
    """The state machine of the money. Every change is journalled before it is visible."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.RLock()
        self._busy: set[str] = set()
        self._intents: dict[str, Object] = {}
        self._refunds: dict[str, Object] = {}
        self._captures: dict[str, list[Object]] = defaultdict(list)
        self._calls: Counter[str] = Counter()
        #: Captures and declines that the bank still owes: plan id -> event.
        self.plans: dict[str, Object] = {}

    # Reading ------------------------------------------------------------------------------

    def intent(self, reference: str) -> Object:
        """Return a copy of the intent; Refusal if there is none."""
        with self._lock:
            if reference not in self._intents:
                raise errors.missing("payment_intent")
            return dict(self._intents[reference])

    def intents_with(self, metadata: Mapping[str, str]) -> Sequence[Object]:
        """Return the intents whose metadata has all of ``metadata``, newest first."""
        with self._lock:
            found = [i for i in self._intents.values() if metadata.items() <= i["metadata"].items()]
            return [dict(intent) for intent in reversed(found)]

    def newest_first(self) -> Sequence[Object]:
        """Return copies of all intents, the newest first."""
        with self._lock:
            return [dict(intent) for intent in reversed(self._intents.values())]

    def charge_of(self, intent: Object) -> Object | None:
        """Return the charge that an intent's ``latest_charge`` names, None without one."""
        if intent["latest_charge"] is None:
            return None
        refunds = [r for r in self.refunds_of(intent["id"]) if r["status"] != "failed"]
        refunded = sum(refund["amount"] for refund in refunds)
        return {
            "id": intent["latest_charge"],
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": intent["amount_received"],
            "amount_refunded": refunded,
            "payment_intent": intent["id"],
            "refunded": refunded == intent["amount_received"],
        }

    def refunds_of(self, intent: str) -> Sequence[Object]:
        """Return the refunds of an intent, newest first."""
        with self._lock:
            made = [r for r in self._refunds.values() if r["payment_intent"] == intent]
            return [dict(refund) for refund in reversed(made)]

    def everything(self) -> Object:
        """Return all intents, all refunds, and each intent's captures."""
        with self._lock:
            return {
                "object": "ledger",
                "intents": [dict(intent) for intent in self._intents.values()],
                "refunds": [dict(refund) for refund in self._refunds.values()],
                "captures": {i: [dict(c) for c in made] for i, made in self._captures.items()},
            }

    # Writing ------------------------------------------------------------------------------

    @contextmanager
    def exclusive(self, intent: str) -> Iterator[None]:
        """Keep other requests off an intent; Refusal if another one is on it."""
        with self._lock:
            if intent in self._busy:
                raise errors.locked()
            self._busy.add(intent)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(intent)

    def count_call(self, verb: str, intent: str) -> int:
        """Return how often ``verb`` was executed on an intent, this time included."""
        with self._lock:
            self._journal.append("begun", verb=verb, intent=intent)
            self._calls[f"{verb} {intent}"] += 1
            return self._calls[f"{verb} {intent}"]

    def create(
        self, *, amount: int, currency: str, metadata: Mapping[str, str], token: str
    ) -> Object:
        """Make an intent; with a payment method it waits for its confirm."""
        reference = f"pi_{secrets.token_hex(12)}"
        return self._save_intent(
            {
                "id": reference,
                "object": "payment_intent",
                "amount": amount,
                "amount_received": 0,
                "canceled_at": None,
                "capture_method": "automatic",
                "client_secret": f"{reference}_secret_{secrets.token_hex(8)}",
                "created": int(time.time()),
                "currency": currency,
                "last_payment_error": None,
                "latest_charge": None,
                "livemode": False,
                "metadata": dict(metadata),
                "payment_method": token or None,
                "status": "requires_confirmation" if token else "requires_payment_method",
            }
        )

    def change(self, intent: str, **members: Any) -> Object:
        """Set members of an intent and return it."""
        with self._lock:
            return self._save_intent({**self._intents[intent], **members})

    def decline(self, intent: str, decline_code: str) -> Object:
        """Put the intent back to where it asks for another payment method."""
        return self.change(
            intent,
            status="requires_payment_method",
            last_payment_error={
                "type": "card_error",
                "code": "card_declined",
                "decline_code": decline_code,
                "message": "Your card was declined.",
            },
        )

    def capture(self, intent: str) -> Object:
        """Take the money."""
        with self._lock:
            amount = self._intents[intent]["amount"]
            charge = f"ch_{secrets.token_hex(12)}"
            capture = {"id": charge, "amount": amount, "created": time.time()}
            self._journal.append("capture", intent=intent, capture=capture)
            self._captures[intent].append(capture)
            return self.change(
                intent,
                status="succeeded",
                amount_received=amount,
                latest_charge=charge,
                last_payment_error=None,
            )

    def refund(
        self, intent: str, amount: int, metadata: Mapping[str, str], *, status: str
    ) -> Object:
        """Give money back; Refusal above what is left of the capture."""
        with self._lock:
            made = [r for r in self.refunds_of(intent) if r["status"] != "failed"]
            left = self._intents[intent]["amount_received"] - sum(r["amount"] for r in made)
            if left <= 0:
                raise errors.refund_refused("charge_already_refunded", "Nothing is left to refund.")
            if amount > left:
                raise errors.refund_refused("amount_too_large", "More than is left to refund.")
            refund: Object = {
                "id": f"re_{secrets.token_hex(12)}",
                "object": "refund",
                "amount": amount,
                "charge": self._intents[intent]["latest_charge"],
                "created": int(time.time()),
                "currency": self._intents[intent]["currency"],
                "metadata": dict(metadata),
                "payment_intent": intent,
                "status": status,
            }
            return self._save_refund(refund)

    def plan(self, effect: str, on: str, *, seconds: float, decline_code: str = "") -> str:
        """Note that the bank's word on an intent or a refund comes later, also after a restart."""
        plan: Object = {
            "id": secrets.token_hex(6),
            "effect": effect,
            "on": on,
            "due": time.time() + seconds,
            "decline_code": decline_code,
        }
        with self._lock:
            self._journal.append("planned", plan=plan)
            self.plans[plan["id"]] = plan
        return str(plan["id"])

    def carry_out(self, plan_id: str) -> None:
        """Do what the bank said late."""
        with self._lock:
            if plan_id not in self.plans:
                return
            plan = self.plans[plan_id]
            match plan["effect"]:
                case "decline":
                    self.decline(plan["on"], plan["decline_code"])
                case "capture":
                    self.capture(plan["on"])
                case "refund_succeeded" | "refund_failed":
                    status = plan["effect"].removeprefix("refund_")
                    self._save_refund({**self._refunds[plan["on"]], "status": status})
            self._journal.append("carried_out", plan=plan_id)
            del self.plans[plan_id]

    def replay(self, event: Mapping[str, Any]) -> None:
        """Take one event of the journal in again."""
        match event["event"]:
            case "intent":
                self._intents[event["intent"]["id"]] = event["intent"]
            case "capture":
                self._captures[event["intent"]].append(event["capture"])
            case "refund":
                self._refunds[event["refund"]["id"]] = event["refund"]
            case "begun":
                self._calls[f"{event['verb']} {event['intent']}"] += 1
            case "planned":
                self.plans[event["plan"]["id"]] = event["plan"]
            case "carried_out":
                del self.plans[event["plan"]]

    def _save_refund(self, refund: Object) -> Object:
        with self._lock:
            self._journal.append("refund", refund=refund)
            self._refunds[refund["id"]] = refund
            return dict(refund)

    def _save_intent(self, intent: Object) -> Object:
        with self._lock:
            self._journal.append("intent", intent=intent)
            self._intents[intent["id"]] = intent
            return dict(intent)
