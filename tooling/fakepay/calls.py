"""The provider's calls: what each one checks, does, and answers."""

import threading
import time

from tooling.fakepay import errors, forms, objects
from tooling.fakepay.errors import Refusal
from tooling.fakepay.forms import Parameters
from tooling.fakepay.idempotency import Answer
from tooling.fakepay.ledger import CANCELLABLE, OPEN, Ledger
from tooling.fakepay.objects import Object
from tooling.fakepay.tokens import Behaviour, Fault, behaviour_of


class Calls:
    """Executes what changes the ledger; each payment method behaves as its token says."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        #: Where the shopper's browser reaches this provider.
        self.public_url = ""
        self._working: set[threading.Event] = set()

    def create(self, parameters: Parameters) -> Answer:
        if "payment_method_types" in parameters:
            raise errors.invalid(
                "payment_method_types_no_longer_supported",
                "Send allowed_payment_method_types.",
                parameter="payment_method_types",
            )
        forms.only(
            parameters,
            {
                "amount",
                "currency",
                "metadata",
                "capture_method",
                "payment_method",
                "allowed_payment_method_types",
            },
        )
        token = forms.text_of(parameters, "payment_method")
        if token:
            _behaviour(token)
        currency = forms.text_of(parameters, "currency").lower()
        if len(currency) != 3 or not currency.isalpha():
            raise errors.invalid("parameter_invalid", "An ISO 4217 code.", parameter="currency")
        intent = objects.intent(
            amount=forms.amount_of(parameters),
            currency=currency,
            metadata=forms.metadata_of(parameters),
            token=token,
            manual=forms.text_of(parameters, "capture_method") == "manual",
            at=time.time(),
        )
        return Answer(200, self._ledger.add(intent))

    def confirm(self, reference: str, parameters: Parameters) -> Answer:
        forms.only(
            parameters,
            {"payment_method", "payment_method_data", "confirmation_token", "return_url"},
        )
        with self._ledger.exclusive(reference):
            intent = self._ledger.intent(reference)
            if intent["status"] not in OPEN:
                raise errors.unexpected_state("confirm", intent)
            token, name = forms.method_of(parameters)
            token = token or intent["payment_method"] or ""
            behaviour = _behaviour(token, parameter=name)
            fault = behaviour.confirm.on(self._ledger.count_call("confirm", reference))
            self._ledger.change(reference, payment_method=token, status="requires_confirmation")
            self._take_time(behaviour.slow)
            if fault is Fault.ERROR_BEFORE:
                raise errors.server_error()
            if behaviour.authenticates:
                action = self._next_action(reference, forms.text_of(parameters, "return_url"))
                done = self._ledger.change(reference, status="requires_action", next_action=action)
            else:
                done = self._bank_decides(reference, behaviour)
            return _answer(fault, done)

    def _next_action(self, reference: str, return_url: str) -> Object:
        if not return_url:
            return objects.IN_SCRIPT
        return objects.redirect(f"{self.public_url}/3ds/{reference}", return_url)

    def _bank_decides(self, reference: str, behaviour: Behaviour) -> Object:
        if behaviour.late is not None:
            intent = self._ledger.change(reference, status="processing", next_action=None)
            self._later(
                "decline" if behaviour.decline_code else "approve",
                reference,
                behaviour.late,
                behaviour.decline_code,
            )
            return intent
        if behaviour.decline_code:
            raise errors.declined(self._ledger.decline(reference, behaviour.decline_code))
        return self._ledger.approve(reference)

    def capture(self, reference: str, parameters: Parameters) -> Answer:
        forms.only(parameters, {"amount_to_capture", "metadata"})
        with self._ledger.exclusive(reference):
            intent = self._ledger.intent(reference)
            if intent["status"] != "requires_capture":
                raise errors.unexpected_state("capture", intent)
            behaviour = _behaviour(intent["payment_method"])
            fault = behaviour.capture.on(self._ledger.count_call("capture", reference))
            if fault is Fault.ERROR_BEFORE:
                raise errors.server_error()
            if fault is Fault.REFUSED:
                # The provider cancels by itself what is not captured in time.
                expired = self._ledger.change(
                    reference,
                    status="canceled",
                    amount_capturable=0,
                    cancellation_reason="automatic",
                    canceled_at=int(time.time()),
                )
                raise errors.unexpected_state("capture", expired)
            return _answer(fault, self._ledger.capture(reference))

    def cancel(self, reference: str, parameters: Parameters) -> Answer:
        forms.only(parameters, {"cancellation_reason"})
        with self._ledger.exclusive(reference):
            intent = self._ledger.intent(reference)
            if intent["status"] not in CANCELLABLE:
                raise errors.unexpected_state("cancel", intent)
            behaviour = behaviour_of(intent["payment_method"] or "") or Behaviour()
            fault = behaviour.cancel.on(self._ledger.count_call("cancel", reference))
            if fault is Fault.ERROR_BEFORE:
                raise errors.server_error()
            intent = self._ledger.change(
                reference,
                status="canceled",
                amount_capturable=0,
                canceled_at=int(time.time()),
                cancellation_reason=forms.text_of(parameters, "cancellation_reason") or None,
                next_action=None,
            )
            if behaviour.captures_after_cancel is not None:
                self._later("capture", reference, behaviour.captures_after_cancel)
            return _answer(fault, intent)

    def refund(self, parameters: Parameters) -> Answer:
        forms.only(parameters, {"payment_intent", "amount", "metadata", "reason"})
        reference = forms.text_of(parameters, "payment_intent")
        with self._ledger.exclusive(reference):
            intent = self._ledger.intent(reference)
            amount = (
                forms.amount_of(parameters) if "amount" in parameters else intent["amount_received"]
            )
            behaviour = behaviour_of(intent["payment_method"] or "") or Behaviour()
            fault = behaviour.refund.on(self._ledger.count_call("refund", reference))
            if fault is Fault.ERROR_BEFORE:
                raise errors.server_error()
            if fault is Fault.REFUSED:
                raise errors.refused("charge_disputed", "The bank says no.")
            refund = self._ledger.refund(
                reference,
                amount,
                forms.metadata_of(parameters),
                status="succeeded" if behaviour.refund_late is None else "pending",
            )
            if behaviour.refund_late is not None:
                outcome = "refund_failed" if behaviour.refund_fails else "refund_succeeded"
                self._later(outcome, refund["id"], behaviour.refund_late)
            return _answer(fault, refund)

    def authenticated(self, reference: str) -> Object:
        """The shopper has shown the bank who they are: go on with the confirm."""
        token = self._ledger.intent(reference)["payment_method"]
        try:
            return self._bank_decides(reference, _behaviour(token))
        except Refusal:  # declined: the intent says so
            return self._ledger.intent(reference)

    # Time -----------------------------------------------------------------------------------

    def advance(self) -> None:
        """Let all seconds pass that the bank waits for."""
        for waiting in list(self._working):
            waiting.set()
        for plan in list(self._ledger.plans):
            self._ledger.carry_out(plan)

    def resume(self) -> None:
        """Wait again for what the bank owed when the provider went down."""
        for plan in list(self._ledger.plans.values()):
            self._await(plan["id"], plan["due"] - time.time())

    def _take_time(self, seconds: float) -> None:
        waiting = threading.Event()
        self._working.add(waiting)
        waiting.wait(seconds)
        self._working.discard(waiting)

    def _later(self, effect: str, on: str, seconds: float, decline_code: str = "") -> None:
        plan = self._ledger.plan(effect, on, seconds=seconds, decline_code=decline_code)
        self._await(plan, seconds)

    def _await(self, plan: str, seconds: float) -> None:
        timer = threading.Timer(max(seconds, 0), self._ledger.carry_out, [plan])
        timer.daemon = True
        timer.start()


def _answer(fault: Fault, done: Object) -> Answer:
    if fault is Fault.ERROR_AFTER:
        raise errors.server_error()
    return Answer(200, done, delivered=fault is not Fault.REPLY_LOST)


def _behaviour(token: str, *, parameter: str = "payment_method") -> Behaviour:
    behaviour = behaviour_of(token)
    if behaviour is None:
        raise errors.missing(parameter, status=400)
    return behaviour
