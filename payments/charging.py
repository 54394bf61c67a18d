"""Forward: from a committed payment to the money, or to a definite no."""

from typing import NoReturn

from payments import calls, records
from payments.errors import CardDeclined, PaymentInDoubt
from payments.gateways.port import Declined, Intent, IntentStatus, UnexpectedState
from payments.gateways.registry import gateway
from payments.models import REVERSED, Payment, Status
from sagas.participant import crash
from sagas.participant.receipts import AlreadyCompensated


def charge(payment: Payment, *, is_repeat: bool) -> None:
    """Ask the provider how the payment stands, do what is left to do, and record it."""
    intent = calls.intent_of(payment, ask_first=is_repeat)
    if intent.status is IntentStatus.OPEN:
        intent = _confirm(payment)
    learn(payment, intent)


def learn(payment: Payment, intent: Intent) -> None:
    """Record what the provider says of an intent.

    Raises:
        CardDeclined: it says no.
        PaymentInDoubt: it does not say yet.
        AlreadyCompensated: it says no, and the payment is being reversed.
    """
    match intent.status:
        case IntentStatus.SUCCEEDED:
            records.record_capture(payment.pk, intent)
        case IntentStatus.DECLINED:
            _decline(payment, intent.decline_code)
        case IntentStatus.CANCELLED:
            _decline(payment, "intent-cancelled")
        case IntentStatus.PROCESSING | IntentStatus.OPEN:
            records.lose_sight(payment.pk)
            raise PaymentInDoubt(f"the provider says that the charge is {intent.status}")


def _confirm(payment: Payment) -> Intent:
    token = records.token_of(payment.saga_id)
    operation = records.begin_confirm(payment.pk)
    ref = records.read(payment.pk).provider_ref
    with calls.sending(operation):
        try:
            with crash.calling("payments.confirm"):
                return gateway(payment.provider).confirm(
                    ref=ref, key=operation.idempotency_key, token=token
                )
        except Declined as no:
            _decline(payment, no.code)
        except UnexpectedState as found:
            return found.intent


def _decline(payment: Payment, code: str) -> NoReturn:
    known = records.record_decline(payment.pk, code)
    if known.status in REVERSED:
        raise AlreadyCompensated(f"payment {payment.pk} is being reversed")
    if known.status != Status.DECLINED:
        raise PaymentInDoubt("another attempt has settled the payment")
    raise CardDeclined(known.decline_code)
