"""The provider's calls: what each one checks, does, and answers."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from tooling.fakepay import errors
from tooling.fakepay.errors import Refusal
from tooling.fakepay.idempotency import Answer, Keys, fingerprint
from tooling.fakepay.journal import Journal
from tooling.fakepay.ledger import OPEN, Ledger
from tooling.fakepay.tokens import Behaviour, Fault, behaviour_of

Parameters = Mapping[str, Any]


class Provider:
    """Answers POST calls under their idempotency keys."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.ledger = Ledger(journal)
        self._keys = Keys(journal)
        self._waiting: set[threading.Event] = set()
        for event in journal.events():
            if event["event"] == "answer":
                self._keys.replay(event)
            else:
                self.ledger.replay(event)
        for plan in list(self.ledger.plans.values()):
            self._await(plan["id"], plan["due"] - time.time())

    def post(self, path: str, key: str, parameters: Parameters) -> tuple[Answer, bool]:
        """Execute a call once; the flag says whether its answer is a replay."""
        if not key:
            return self._execute(path, parameters)[0], False
        try:
            stored = self._keys.claim(key, fingerprint("POST", path, parameters))
        except Refusal as refusal:
            return Answer(refusal.status, refusal.body), False
        if stored is not None:
            return stored, True
        executed = False
        try:
            answer, executed = self._execute(path, parameters)
            if executed:
                self._keys.store(key, answer)
        finally:
            if not executed:
                self._keys.release(key)
        return answer, False

    def _execute(self, path: str, parameters: Parameters) -> tuple[Answer, bool]:
        """Return the answer, and whether the request was begun."""
        try:
            return self._call_of(path)(parameters), True
        except Refusal as refusal:
            return Answer(refusal.status, refusal.body), refusal.executed

    def _call_of(self, path: str) -> Callable[[Parameters], Answer]:
        match path.strip("/").split("/"):
            case ["v1", "payment_intents"]:
                return self._create
            case ["v1", "payment_intents", intent, "confirm"]:
                return lambda parameters: self._confirm(intent, parameters)
            case ["v1", "payment_intents", intent, "cancel"]:
                return lambda _: self._cancel(intent)
            case ["v1", "refunds"]:
                return self._refund
            case ["v1", "test_helpers", "advance"]:
                return self._advance
        raise errors.missing("resource")

    def _create(self, parameters: Parameters) -> Answer:
        token = _text(parameters, "payment_method")
        if token:
            _behaviour(token)
        currency = _text(parameters, "currency").lower()
        if len(currency) != 3 or not currency.isalpha():
            raise errors.invalid("parameter_invalid", "An ISO 4217 code.", parameter="currency")
        intent = self.ledger.create(
            amount=_amount(parameters),
            currency=currency,
            metadata=_metadata(parameters),
            token=token,
        )
        return Answer(200, intent)

    def _confirm(self, reference: str, parameters: Parameters) -> Answer:
        with self.ledger.exclusive(reference):
            intent = self.ledger.intent(reference)
            if intent["status"] not in OPEN:
                raise errors.unexpected_state("confirm", intent)
            token = _text(parameters, "payment_method") or intent["payment_method"] or ""
            behaviour = _behaviour(token)
            fault = behaviour.confirm.on(self.ledger.count_call("confirm", reference))
            self.ledger.change(reference, payment_method=token, status="requires_confirmation")
            self._take_time(behaviour.slow)
            if fault is Fault.ERROR_BEFORE:
                raise errors.server_error()
            return _answer(fault, self._bank_decides(reference, behaviour))

    def _bank_decides(self, reference: str, behaviour: Behaviour) -> dict[str, Any]:
        if behaviour.late is not None:
            intent = self.ledger.change(reference, status="processing")
            self._later(
                "decline" if behaviour.decline_code else "capture",
                reference,
                behaviour.late,
                behaviour.decline_code,
            )
            return intent
        if behaviour.decline_code:
            raise errors.declined(self.ledger.decline(reference, behaviour.decline_code))
        return self.ledger.capture(reference)

    def _cancel(self, reference: str) -> Answer:
        with self.ledger.exclusive(reference):
            intent = self.ledger.intent(reference)
            if intent["status"] not in OPEN:
                raise errors.unexpected_state("cancel", intent)
            self.ledger.count_call("cancel", reference)
            intent = self.ledger.change(reference, status="canceled", canceled_at=int(time.time()))
            behaviour = behaviour_of(intent["payment_method"] or "")
            if behaviour and behaviour.captures_after_cancel is not None:
                self._later("capture", reference, behaviour.captures_after_cancel)
            return Answer(200, intent)

    def _refund(self, parameters: Parameters) -> Answer:
        reference = _text(parameters, "payment_intent")
        with self.ledger.exclusive(reference):
            intent = self.ledger.intent(reference)
            amount = _amount(parameters) if "amount" in parameters else intent["amount_received"]
            behaviour = behaviour_of(intent["payment_method"] or "") or Behaviour()
            fault = behaviour.refund.on(self.ledger.count_call("refund", reference))
            if fault is Fault.ERROR_BEFORE:
                raise errors.server_error()
            if fault is Fault.REFUSED:
                raise errors.refund_refused("refund_disputed_payment", "The bank says no.")
            refund = self.ledger.refund(
                reference,
                amount,
                _metadata(parameters),
                status="succeeded" if behaviour.refund_late is None else "pending",
            )
            if behaviour.refund_late is not None:
                outcome = "refund_failed" if behaviour.refund_fails else "refund_succeeded"
                self._later(outcome, refund["id"], behaviour.refund_late)
            return _answer(fault, refund)

    def _advance(self, _: Parameters) -> Answer:
        """Let all seconds pass that anything waits for, so that no test has to sleep."""
        for waiting in list(self._waiting):
            waiting.set()
        for plan in list(self.ledger.plans):
            self.ledger.carry_out(plan)
        return Answer(200, {"object": "clock"})

    def _take_time(self, seconds: float) -> None:
        waiting = threading.Event()
        self._waiting.add(waiting)
        waiting.wait(seconds)
        self._waiting.discard(waiting)

    def _later(self, effect: str, on: str, seconds: float, decline_code: str = "") -> None:
        plan = self.ledger.plan(effect, on, seconds=seconds, decline_code=decline_code)
        self._await(plan, seconds)

    def _await(self, plan: str, seconds: float) -> None:
        timer = threading.Timer(max(seconds, 0), self.ledger.carry_out, [plan])
        timer.daemon = True
        timer.start()


def _answer(fault: Fault, done: Mapping[str, Any]) -> Answer:
    if fault is Fault.ERROR_AFTER:
        raise errors.server_error()
    return Answer(200, done, delivered=fault is not Fault.REPLY_LOST)


def _behaviour(token: str) -> Behaviour:
    behaviour = behaviour_of(token)
    if behaviour is None:
        raise errors.missing("payment_method", status=400)
    return behaviour


def _text(parameters: Parameters, name: str) -> str:
    value = parameters.get(name, "")
    if not isinstance(value, str):
        raise errors.invalid("parameter_invalid", "Must be a string.", parameter=name)
    return value


def _amount(parameters: Parameters) -> int:
    value = parameters.get("amount")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 10**12:
        raise errors.invalid(
            "parameter_invalid_integer", "A positive number of minor units.", parameter="amount"
        )
    return value


def _metadata(parameters: Parameters) -> dict[str, str]:
    value = parameters.get("metadata", {})
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise errors.invalid("parameter_invalid", "Strings by name.", parameter="metadata")
    return value
