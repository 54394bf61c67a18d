"""One sentence that support can say to the shopper, from what the domains hold."""

from dataclasses import replace

from sagas.evidence import Verdict
from sagas.models import COMPENSATED, COMPENSATING, COMPLETE, FAILED
from sagas.participant.money import written

_BECAUSE = {
    "out-of-stock": "an item sold out while we were reserving it",
    "card-declined": "the card was declined",
    "payment-method-missing": "the payment method could not be used any more",
    "authorisation-lost": "the bank did not hold the money any longer",
    "deadline": "it could not be finished in time",
    "cancelled": "you asked us to cancel it",
    "operator": "our staff cancelled it",
}


def sentence_of(verdict: Verdict, *, state: str, reason: str) -> Verdict:
    """Return the verdict with its sentence."""
    return replace(verdict, sentence=_sentence(verdict, state, reason))


def _sentence(verdict: Verdict, state: str, reason: str) -> str:
    order = f"Your order {verdict.order_number}" if verdict.order_number else "Your order"
    if verdict.charged is None or verdict.refunded is None:
        return f"{order} is being checked; we cannot see the payment just now, please hold on."
    if verdict.in_doubt:
        return (
            f"{order} is being checked with the bank; if it took any money, "
            "you get either the goods or all of it back."
        )
    words = _while_held if verdict.net else _without_money
    disputed = "; your bank has asked us for the money" if verdict.disputed else ""
    return f"{order} {words(verdict, state, reason)}{disputed}."


def _while_held(verdict: Verdict, state: str, reason: str) -> str:
    amount = written(verdict.charged or 0, verdict.currency)
    if state in (FAILED, COMPENSATING):
        return f"is being undone and {amount} is still to be given back; we see to it"
    if verdict.order_status == "CONFIRMED":
        back = f"; {written(verdict.refunded or 0, verdict.currency)} of it was given back"
        return f"is confirmed and paid: {amount}{back if verdict.refunded else ''}"
    return f"is paid, {amount}, and is being confirmed"


def _without_money(verdict: Verdict, state: str, reason: str) -> str:
    if state == COMPENSATED:
        because = _BECAUSE.get(reason, "we had a technical problem")
        amount = written(verdict.charged or 0, verdict.currency)
        back = f"all of {amount} was given back" if verdict.charged else "nothing was charged"
        return f"was not carried out because {because}; {back}"
    if state in (FAILED, COMPENSATING):
        return "is being undone; no money is held"
    if state == COMPLETE:
        back = written(verdict.refunded or 0, verdict.currency)
        cancelled = "is cancelled" if verdict.order_status == "CANCELLED" else "stands"
        return f"{cancelled}; all of {back} was given back"
    if verdict.payment == "REQUIRES_ACTION":
        return "waits until you have authenticated with your bank; nothing was charged so far"
    if verdict.authorised:
        amount = written(verdict.authorised, verdict.currency)
        return f"is being processed; your bank holds {amount} for it, nothing was charged so far"
    return "is being processed; nothing was charged so far"
