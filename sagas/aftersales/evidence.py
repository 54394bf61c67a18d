"""What staff see of a cancellation or a return: what the domains hold of its checkout."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from inventory import services as inventory
from notifications import services as notifications
from orders import services as orders
from payments import services as payments
from sagas import journal
from sagas.checkout import dry_run
from sagas.checkout.evidence import CHECKOUT, ask, mails_of
from sagas.evidence import Call, CallState, CannotAsk, Facts, NotConfirmed, Unknown, Verdict
from sagas.models import COMPENSATED, COMPLETE, DATABASE, Saga
from sagas.participant.money import written

Calls = Callable[[Saga], list[Call]]
#: Step -> what contradicts that it was done by hand; empty if nothing does.
_Contradiction = Callable[[Saga, str], str]


@dataclass(frozen=True, kw_only=True)
class AftersalesEvidence:
    """Keeps ``sagas.evidence.Evidence`` by asking about the checkout.

    Args:
        sentence: what support can say to the shopper.
        do, undo: the dry run of each step, by its name.
        by_hand: the steps that a person can have done, with the check that they were.
    """

    sentence: Callable[[Saga, Verdict], str]
    do: Mapping[str, Calls]
    undo: Mapping[str, Calls]
    by_hand: Mapping[str, _Contradiction]

    def verdict(self, saga_id: UUID, *, state: str, reason: str) -> Verdict:
        """Read what the domains hold of the checkout, and this saga's own mails."""
        saga = journal.read(saga_id)
        checkout = journal.read(_checkout(saga))
        unknown: list[Unknown] = []
        mails = ask("notifications", unknown, lambda: mails_of(saga_id))
        held = CHECKOUT.verdict(checkout.pk, state=checkout.state, reason=checkout.reason)
        verdict = replace(held, mails=mails)
        known = held.charged is not None and held.refunded is not None and not held.in_doubt
        return replace(verdict, sentence=self.sentence(saga, verdict)) if known else verdict

    def facts(self, saga_ids: Sequence[UUID]) -> Mapping[UUID, Facts]:
        """Return the row of each saga: what its checkout holds."""
        sagas = Saga.objects.using(DATABASE).filter(pk__in=saga_ids, follows__isnull=False)
        followed = dict(sagas.values_list("pk", "follows"))
        facts = CHECKOUT.facts(sorted({each for each in followed.values() if each is not None}))
        return {pk: facts[follows] for pk, follows in followed.items() if follows is not None}

    def find(self, text: str) -> Sequence[UUID]:
        """Return nothing: order numbers and references name the checkout, which links here."""
        return []

    def calls(self, saga_id: UUID, *, steps: Sequence[str], undo: bool) -> Sequence[Call]:
        """Return what doing, or undoing, ``steps`` in this order would do now."""
        saga, table = journal.read(saga_id), self.undo if undo else self.do
        return [call for step in steps for call in table[step](saga)]

    def ask(self, saga_id: UUID) -> str:
        """Let the provider say how the checkout's payment stands, and record it."""
        return CHECKOUT.ask(_checkout(journal.read(saga_id)))

    def mail_again(self, saga_id: UUID) -> str:
        """Send this saga's last mail once more, under the same Message-ID."""
        return CHECKOUT.mail_again(saga_id)

    def resolve(self, saga_id: UUID, *, step: str, undo: bool, reference: str) -> None:
        """Check, and if need be record, that ``step`` was done by hand."""
        check = None if undo else self.by_hand.get(step)
        if check is None:
            raise NotConfirmed(f"{step} cannot be settled by hand")
        if fault := check(journal.read(saga_id), reference):
            raise NotConfirmed(fault)


def _checkout(saga: Saga) -> UUID:
    if saga.follows is None:
        raise CannotAsk("it follows no checkout")
    return saga.follows


# Sentences --------------------------------------------------------------------------------


def _cancelled(saga: Saga, verdict: Verdict) -> str:
    order, back = _order(verdict), written(verdict.refunded or 0, verdict.currency)
    if saga.state == COMPLETE:
        return f"{order} is cancelled; all of {back} was given back."
    if saga.state == COMPENSATED:
        because = {
            "order-shipped": "it had been shipped already",
            "order-held-back": "another cancellation was at work on it",
        }.get(saga.reason, "we had a technical problem")
        return f"{order} could not be cancelled because {because}; it stands as it was."
    if verdict.net:
        held = written(verdict.net, verdict.currency)
        return f"{order} is being cancelled; {held} is still to be given back, we see to it."
    return f"{order} is being cancelled; all of {back} was given back."


def _returned(saga: Saga, verdict: Verdict) -> str:
    order, part = _order(verdict), written(saga.amount, saga.currency)
    went_back = payments.part_stands(saga_id=saga.pk)
    if went_back:
        return f"{part} of {_lower(order)} was given back."
    if saga.state == COMPENSATED:
        return f"The refund of {part} of {_lower(order)} was not made."
    return f"{part} of {_lower(order)} is being given back."


def _order(verdict: Verdict) -> str:
    return f"Your order {verdict.order_number}" if verdict.order_number else "Your order"


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]


# Dry runs ---------------------------------------------------------------------------------


def _of_checkout(step: str) -> Calls:
    """The dry run of undoing a step of the checkout."""
    return lambda saga: dry_run.calls_of(_checkout(saga), steps=[step], undo=True)


def _in_orders(what: str, step: str) -> Calls:
    return lambda saga: [_call("orders", what, is_done=step in saga.results)]


def _refund_of_part(saga: Saga) -> list[Call]:
    is_done = payments.part_stands(saga_id=saga.pk)
    what = "ask whether the partial refund was made, and make it if not"
    return [_call("provider", what, is_done=is_done, amount=saga.amount, currency=saga.currency)]


def _stop_of_part(saga: Saga) -> list[Call]:
    is_done = payments.part_stands(saga_id=saga.pk)
    what = "ask whether the partial refund was made; if not, never make it"
    return [_call("provider", what, is_done=is_done)]


def _mail(kind: str) -> Calls:
    def calls(saga: Saga) -> list[Call]:
        mails = [each for each in notifications.messages_of(saga_id=saga.pk) if each.kind == kind]
        is_done = any(each.status == "SENT" for each in mails)
        return [_call("mail", f"send the {kind} mail", is_done=is_done)]

    return calls


def _call(
    system: str, what: str, *, is_done: bool = False, amount: int | None = None, currency: str = ""
) -> Call:
    state = CallState.DONE if is_done else CallState.WILL_BE_MADE
    return Call(system=system, what=what, state=state, amount=amount, currency=currency)


# By hand ----------------------------------------------------------------------------------


def _refunded_by_hand(saga: Saga, reference: str) -> str:
    try:
        payments.refund_by_hand(saga_id=_checkout(saga), reference=reference)
    except (payments.NotByHand, payments.PaymentInDoubt, payments.PaymentUnavailable) as no:
        return f"the payment cannot be settled by hand: {no}"
    return ""


def _is_released(saga: Saga, _: str) -> str:
    held = inventory.units_held(saga_ids=[_checkout(saga)]).get(_checkout(saga), 0)
    return f"{held} units are still held" if held else ""


def _is_cancelled(saga: Saga, _: str) -> str:
    order = orders.summaries(saga_ids=[_checkout(saga)]).get(_checkout(saga))
    is_cancelled = order is None or order.status == "CANCELLED"
    return "" if is_cancelled else "the order is not cancelled"


def _told(saga: Saga, _: str) -> str:
    return ""  # that a person told the shopper is not in any database


CANCELLATION = AftersalesEvidence(
    sentence=_cancelled,
    do={
        "hold_order": _in_orders("hold the order back from being shipped", "hold_order"),
        "refund_payment": _of_checkout("charge_payment"),
        "release_inventory": _of_checkout("reserve_inventory"),
        "cancel_order": _of_checkout("create_order"),
        "send_cancellation": _mail("cancellation"),
    },
    undo={"hold_order": lambda _: [_call("orders", "let the order be shipped")]},
    by_hand={
        "refund_payment": _refunded_by_hand,
        "release_inventory": _is_released,
        "cancel_order": _is_cancelled,
        "send_cancellation": _told,
    },
)
RETURN = AftersalesEvidence(
    sentence=_returned,
    do={
        "open_return": _in_orders("note what the money is for", "open_return"),
        "refund_part": _refund_of_part,
        "close_return": _in_orders("note that the shopper has the money", "close_return"),
        "send_refund_notice": _mail("refund"),
    },
    undo={
        "open_return": lambda _: [_call("orders", "withdraw the return")],
        "refund_part": _stop_of_part,
    },
    by_hand={"send_refund_notice": _told},
)
