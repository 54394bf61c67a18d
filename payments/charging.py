"""Forward: from a committed payment to the money, or to a definite no."""

from typing import NoReturn

from payments import calls, records, rows
from payments.errors import (
    AuthorisationLost,
    CardDeclined,
    PaymentInDoubt,
    PaymentNeedsAction,
)
from payments.gateways.port import Declined, Intent, IntentStatus, UnexpectedState
from payments.gateways.registry import gateway
from payments.models import HELD, REVERSED, Payment, Status
from payments.records import FirstCalls
from sagas.participant import crash
from sagas.participant.receipts import AlreadyCompensated


def charge(payment: Payment, first: FirstCalls | None) -> Payment:
    """Ask the provider how the payment stands, do what is left up to the bank's yes, record it.

    A payment that is captured by hand is authorised afterwards, any other one captured.

    Args:
        payment: as it was committed.
        first: what to send, if it was committed just now; None at a repeat, which asks first.

    Returns:
        The payment as it stands now; raises as ``learn``.
    """
    if first is None:
        made, intent = None, calls.intent_of(payment, ask_first=True)
    else:
        made = intent = calls.create_intent(payment, first.creation)
    if intent.status is IntentStatus.OPEN:
        intent = _confirm(payment, made, first)
    elif made is not None:
        records.note_intent(payment.pk, made)
    return learn(payment, intent)


def capture(payment: Payment) -> Payment:
    """Take the money that is held for an authorised payment, unless it is taken already."""
    intent = calls.intent_of(payment, ask_first=True)
    if intent.status is IntentStatus.AUTHORISED:
        intent = _capture(payment)
    return learn(payment, intent)


def learn(payment: Payment, intent: Intent) -> Payment:
    """Record what the provider says of an intent; return the payment as it stands now.

    Raises:
        CardDeclined, AuthorisationLost: it says no.
        PaymentNeedsAction: the shopper has to act.
        PaymentInDoubt: it does not say yet.
        AlreadyCompensated: it says no, and the payment is being reversed.
    """
    match intent.status:
        case IntentStatus.SUCCEEDED:
            known = records.record_capture(payment.pk, intent)
        case IntentStatus.AUTHORISED:
            known = records.record_authorisation(payment.pk, intent)
        case IntentStatus.REQUIRES_ACTION:
            records.require_action(payment.pk, intent)
            raise PaymentNeedsAction
        case IntentStatus.DECLINED:
            _decline(payment, intent.decline_code)
        case IntentStatus.CANCELLED:
            _learn_of_cancel(payment)
        case IntentStatus.PROCESSING | IntentStatus.OPEN:
            records.lose_sight(payment.pk)
            raise PaymentInDoubt(f"the provider says that the charge is {intent.status}")
    return known


def _confirm(payment: Payment, made: Intent | None, first: FirstCalls | None) -> Intent:
    """Let the provider charge; the id of an intent that was ``made`` just now is kept before."""
    token = first.token if first else records.token_of(payment.saga_id)
    ref, operation = records.begin_confirm(payment.pk, made, first)
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


def _capture(payment: Payment) -> Intent:
    operation = records.begin_capture(payment.pk)
    with calls.sending(operation):
        try:
            with crash.calling("payments.capture"):
                return gateway(payment.provider).capture(
                    ref=payment.provider_ref, key=operation.idempotency_key
                )
        except UnexpectedState as found:
            return found.intent


def _learn_of_cancel(payment: Payment) -> NoReturn:
    """Not our cancel, unless the payment is being reversed: the bank gave the money free."""
    if rows.read(payment.pk).status not in HELD:
        _decline(payment, "intent-cancelled")
    known = records.lose_authorisation(payment.pk)
    if known.status in REVERSED:
        raise AlreadyCompensated(f"payment {payment.pk} is being reversed")
    raise AuthorisationLost(f"the authorisation of payment {payment.pk} is gone")


def _decline(payment: Payment, code: str) -> NoReturn:
    known = records.record_decline(payment.pk, code)
    if known.status in REVERSED:
        raise AlreadyCompensated(f"payment {payment.pk} is being reversed")
    if known.status != Status.DECLINED:
        raise PaymentInDoubt("another attempt has settled the payment")
    raise CardDeclined(known.decline_code)
