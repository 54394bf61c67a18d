"""Intents, captures, refunds, disputes: the provider's truth, rebuilt from its journal.

Whatever changes is journalled first, then visible, then told to ``on_event``.
"""

import secrets
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tooling.fakepay import errors, objects
from tooling.fakepay.journal import Journal
from tooling.fakepay.objects import Object

#: Statuses from which a confirm is allowed, and those from which a cancel is.
OPEN = ("requires_payment_method", "requires_confirmation")
CANCELLABLE = (*OPEN, "requires_action", "requires_capture")

#: Status that an intent reached -> the event that tells of it.
_EVENTS = {
    "requires_action": "payment_intent.requires_action",
    "requires_capture": "payment_intent.amount_capturable_updated",
    "processing": "payment_intent.processing",
    "succeeded": "payment_intent.succeeded",
    "canceled": "payment_intent.canceled",
}


class Ledger:
    """The state machine of the money."""

    def __init__(self, journal: Journal, on_event: Callable[[str, Object], None]) -> None:
        self._journal = journal
        self._tell = on_event
        self._lock = threading.RLock()
        self._busy: set[str] = set()
        self._intents: dict[str, Object] = {}
        self._refunds: dict[str, Object] = {}
        self._disputes: dict[str, Object] = {}
        self._captures: dict[str, list[Object]] = defaultdict(list)
        self._calls: Counter[str] = Counter()
        #: What the bank still owes: plan id -> event.
        self.plans: dict[str, Object] = {}

    # Reading ------------------------------------------------------------------------------

    def intent(self, reference: str) -> Object:
        """Return a copy of the intent; Refusal if there is none."""
        with self._lock:
            if reference not in self._intents:
                raise errors.missing("payment_intent")
            return dict(self._intents[reference])

    def newest_first(self) -> Sequence[Object]:
        """Return copies of all intents, the newest first."""
        with self._lock:
            return [dict(intent) for intent in reversed(self._intents.values())]

    def charge_of(self, intent: Object) -> Object | None:
        """Return the charge that an intent's ``latest_charge`` names, None without one."""
        if intent["latest_charge"] is None:
            return None
        refunds = [r for r in self.refunds_of(intent["id"]) if r["status"] != "failed"]
        return objects.charge(intent, refunded=sum(refund["amount"] for refund in refunds))

    def refunds_of(self, intent: str) -> Sequence[Object]:
        """Return the refunds of an intent, newest first."""
        with self._lock:
            made = [r for r in self._refunds.values() if r["payment_intent"] == intent]
            return [dict(refund) for refund in reversed(made)]

    def disputes_of(self, intent: str) -> Sequence[Object]:
        """Return the disputes of an intent, newest first."""
        with self._lock:
            made = [d for d in self._disputes.values() if d["payment_intent"] == intent]
            return [dict(dispute) for dispute in reversed(made)]

    def everything(self) -> Object:
        """Return all intents, refunds and disputes, and each intent's captures."""
        with self._lock:
            return {
                "object": "ledger",
                "intents": [dict(intent) for intent in self._intents.values()],
                "refunds": [dict(refund) for refund in self._refunds.values()],
                "disputes": [dict(dispute) for dispute in self._disputes.values()],
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

    def add(self, intent: Object) -> Object:
        """Take a new intent in."""
        made = self._save("intent", self._intents, intent)
        self._tell("payment_intent.created", made)
        return made

    def change(self, intent: str, **members: Any) -> Object:
        """Set members of an intent and return it; a status that it reaches is told."""
        with self._lock:
            before = self._intents[intent]
            after = self._save("intent", self._intents, {**before, **members})
            if after["status"] != before["status"] and after["status"] in _EVENTS:
                self._tell(_EVENTS[after["status"]], after)
            return after

    def decline(self, intent: str, decline_code: str) -> Object:
        """Put the intent back to where it asks for another payment method."""
        error = objects.card_error("card_declined", "Your card was declined.", decline_code)
        return self.refuse(intent, error)

    def refuse(self, intent: str, error: Object) -> Object:
        """The same, with the error that is kept."""
        refused = self.change(
            intent, status="requires_payment_method", last_payment_error=error, next_action=None
        )
        self._tell("payment_intent.payment_failed", refused)
        return refused

    def approve(self, intent: str) -> Object:
        """The bank says yes: take the money, or hold it ready where it is captured by hand."""
        with self._lock:
            known = self._intents[intent]
            if known["capture_method"] != "manual":
                return self.capture(intent)
            return self.change(
                intent,
                status="requires_capture",
                amount_capturable=known["amount"],
                latest_charge=objects.new_id("ch"),
                last_payment_error=None,
                next_action=None,
            )

    def capture(self, intent: str) -> Object:
        """Take the money."""
        with self._lock:
            known = self._intents[intent]
            charge = known["latest_charge"] or objects.new_id("ch")
            capture = {"id": charge, "amount": known["amount"], "created": time.time()}
            self._journal.append("capture", intent=intent, capture=capture)
            self._captures[intent].append(capture)
            captured = self.change(
                intent,
                status="succeeded",
                amount_capturable=0,
                amount_received=known["amount"],
                latest_charge=charge,
                last_payment_error=None,
                next_action=None,
            )
            self._tell("charge.succeeded", objects.charge(captured))
            return captured

    def refund(
        self, intent: str, amount: int, metadata: Mapping[str, str], *, status: str
    ) -> Object:
        """Give money back; Refusal above what is left of the capture."""
        with self._lock:
            known = self._intents[intent]
            made = [r for r in self.refunds_of(intent) if r["status"] != "failed"]
            left = known["amount_received"] - sum(r["amount"] for r in made)
            if left <= 0:
                raise errors.refused("charge_already_refunded", "Nothing is left to refund.")
            if amount > left:
                raise errors.refused("amount_too_large", "More than is left to refund.")
            refund = objects.refund(
                known, amount=amount, metadata=metadata, status=status, at=time.time()
            )
            made_now = self._save("refund", self._refunds, refund)
            self._tell("refund.created", made_now)
            return made_now

    def end_refund(self, refund: str, status: str) -> Object:
        """The bank's word on a refund; it may also take an earlier yes back."""
        with self._lock:
            if refund not in self._refunds:
                raise errors.missing("refund")
            reason = "lost_or_stolen_card" if status == "failed" else None
            ended = {**self._refunds[refund], "status": status, "failure_reason": reason}
            saved = self._save("refund", self._refunds, ended)
            self._tell("refund.failed" if status == "failed" else "refund.updated", saved)
            return saved

    def dispute(self, intent: str, *, reason: str) -> Object:
        """The shopper's bank wants the money back."""
        with self._lock:
            known = self.intent(intent)
            made = objects.dispute(
                known, amount=known["amount_received"], reason=reason, at=time.time()
            )
            saved = self._save("dispute", self._disputes, made)
            self._tell("charge.dispute.created", saved)
            return saved

    def end_dispute(self, dispute: str, status: str) -> Object:
        """The dispute is ``won`` or ``lost``."""
        with self._lock:
            if dispute not in self._disputes:
                raise errors.missing("dispute")
            ended = {**self._disputes[dispute], "status": status}
            saved = self._save("dispute", self._disputes, ended)
            self._tell("charge.dispute.closed", saved)
            return saved

    # What the bank says later ---------------------------------------------------------------

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
                case "approve":
                    self.approve(plan["on"])
                case "capture":
                    self.capture(plan["on"])
                case "refund_succeeded" | "refund_failed":
                    self.end_refund(plan["on"], plan["effect"].removeprefix("refund_"))
            self._journal.append("carried_out", plan=plan_id)
            del self.plans[plan_id]

    # The journal --------------------------------------------------------------------------

    def replay(self, event: Mapping[str, Any]) -> None:
        """Take one event of the journal in again."""
        match event["event"]:
            case "intent":
                self._intents[event["intent"]["id"]] = event["intent"]
            case "capture":
                self._captures[event["intent"]].append(event["capture"])
            case "refund":
                self._refunds[event["refund"]["id"]] = event["refund"]
            case "dispute":
                self._disputes[event["dispute"]["id"]] = event["dispute"]
            case "begun":
                self._calls[f"{event['verb']} {event['intent']}"] += 1
            case "planned":
                self.plans[event["plan"]["id"]] = event["plan"]
            case "carried_out":
                del self.plans[event["plan"]]

    def _save(self, kind: str, rows: dict[str, Object], row: Object) -> Object:
        with self._lock:
            self._journal.append(kind, **{kind: row})
            rows[row["id"]] = row
            return dict(row)
