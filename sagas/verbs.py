"""What people do to sagas. Each verb changes the row and writes the log in one transaction.

A verb carries a ``Mandate``: who asks, why, and what they saw when they decided. If the saga
has moved on since, nothing is done.
"""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sagas import endings, journal, operations
from sagas.evidence import Evidence
from sagas.mandates import Changed, Mandate, must_be_as_seen, write_log
from sagas.models import (
    COMPENSATED,
    DATABASE,
    FAILED,
    Assignment,
    Direction,
    OperatorAction,
    Outcome,
    Parked,
    Saga,
)
from sagas.operations import NotNow, TooLate
from sagas.participant import crash

#: The reason of a saga that was undone on an operator's word.
BY_OPERATOR = "operator"


def retry(saga_id: UUID, *, mandate: Mandate) -> OperatorAction:
    """Let a waiting, parked or failed saga try again now, from the step that did not succeed.

    Raises:
        NotNow: it is at rest, paused, or a worker is on it this moment.
        Changed: it is not what the operator saw.
    """
    return _decide(saga_id, "retry", mandate, _free_to_try)


def compensate(saga_id: UUID, *, mandate: Mandate, past_pivot: bool = False) -> OperatorAction:
    """Undo a saga; ``past_pivot`` says that this operator may undo beyond the point of no return.

    Raises:
        TooLate: it is past the pivot and ``past_pivot`` was not given.
        NotNow: it is being undone already, or was.
        Changed: it is not what the operator saw.
    """

    def turn_back(saga: Saga) -> str:
        if saga.state not in saga.definition.states:
            raise NotNow(f"it is {saga.state}: there is nothing to turn back")
        if not saga.is_before_pivot and saga.definition.is_final_past_pivot:
            raise TooLate(f"it is {saga.state}: what a {saga.kind} did is not taken back")
        if not saga.is_before_pivot and not past_pivot:
            raise TooLate(f"it is {saga.state}, past the pivot: this needs a higher permission")
        effect = f"compensation from {saga.state} begins"
        endings.compensate(saga, reason=BY_OPERATOR)
        return effect

    return _decide(saga_id, "compensate", mandate, turn_back)


def pause(saga_id: UUID, *, mandate: Mandate) -> OperatorAction:
    """Hold a saga where it is until somebody resumes it; its deadline goes on.

    A worker that is on a step just now finishes it in its domain, where the receipt is found
    when the saga is resumed; its save is fenced off.

    Raises:
        NotNow: it is at rest, or parked already.
        Changed: it is not what the operator saw.
    """

    def hold(saga: Saga) -> str:
        if saga.due_at is None or saga.parked:
            raise NotNow(f"it is {saga.parked or saga.state}: there is nothing to pause")
        effect = f"held before {saga.due_step}" if saga.due_step else "held"
        lost = journal.lost_run(saga)
        saga.parked = Parked.PAUSED
        journal.save(saga, seen_state=saga.state, run=lost, raise_epoch=True)
        return effect

    return _decide(saga_id, "pause", mandate, hold, dispatch=False)


def resume(saga_id: UUID, *, mandate: Mandate) -> OperatorAction:
    """Let a paused saga go on.

    Raises:
        NotNow: it is not paused.
        Changed: it is not what the operator saw.
    """

    def let_go(saga: Saga) -> str:
        if saga.parked != Parked.PAUSED:
            raise NotNow("it is not paused")
        return _unpark(saga)

    return _decide(saga_id, "resume", mandate, let_go)


def resolve(saga_id: UUID, *, mandate: Mandate) -> OperatorAction:
    """Record that what a saga waits for was settled by hand; its domain must confirm that.

    Raises:
        NotConfirmed: the domain, or the provider, does not say so.
        NotNow: it waits for nobody's hand, or reason and reference are missing.
        Changed: it is not what the operator saw.
    """
    if not (mandate.reason and mandate.reference):
        raise NotNow("give a reason and a reference, such as the bank's")
    saga = journal.read(saga_id)
    must_be_as_seen(saga, mandate)
    step, undo = step_for_hands(saga)
    # Asks domains and provider, so it comes before the transaction.
    evidence_of(saga).resolve(saga_id, step=step, undo=undo, reference=mandate.reference)

    def settle(saga: Saga) -> str:
        if step_for_hands(saga) != (step, undo):
            raise Changed(f"it is {saga.state} by now")
        by_hand = {"by_hand": mandate.reference}
        if undo:
            _undo_by_hand(saga, step, by_hand)
            return f"undo of {step} is settled by hand"
        _do_by_hand(saga, step, by_hand)
        return f"{step} is settled by hand"

    return _decide(saga_id, "resolve", mandate, settle)


def ask(saga_id: UUID, *, mandate: Mandate) -> OperatorAction:
    """Ask the provider how the payment stands and record it; a waiting saga then goes on.

    Raises:
        CannotAsk: there is nothing to ask about, or no answer.
        Changed: it is not what the operator saw.
    """
    effect = evidence_of(_taken(saga_id, mandate)).ask(saga_id)
    return _note(saga_id, "ask", mandate, effect, dispatch=True)


def mail_again(saga_id: UUID, *, mandate: Mandate) -> OperatorAction:
    """Send the saga's last mail once more, under the same Message-ID.

    Raises:
        CannotAsk: there is no mail, or the mail server does not take it.
        Changed: it is not what the operator saw.
    """
    effect = evidence_of(_taken(saga_id, mandate)).mail_again(saga_id)
    return _note(saga_id, "mail", mandate, effect)


def note(saga_id: UUID, *, mandate: Mandate) -> OperatorAction:
    """Write a note into the operator log."""
    if not mandate.reason:
        raise NotNow("write the note first")
    return _note(saga_id, "note", mandate, "noted")


def claim(saga_id: UUID, *, mandate: Mandate) -> OperatorAction:
    """Take care of a saga, so that no colleague works on it too; NotNow if one does already."""
    if mandate.operator is None:
        raise NotNow("nobody is signed in")
    with crash.committing("sagas.assign", using=DATABASE):
        holder, is_new = (
            Assignment.objects.using(DATABASE)
            .select_related("operator")
            .get_or_create(saga_id=saga_id, defaults={"operator_id": mandate.operator.pk})
        )
        if not is_new:
            raise NotNow(f"{holder.operator.get_username()} takes care of it already")
        return _note(saga_id, "claim", mandate, "claimed")


def release(saga_id: UUID, *, mandate: Mandate) -> OperatorAction:
    """Give a claimed saga back; NotNow if nobody has claimed it."""
    with crash.committing("sagas.unassign", using=DATABASE):
        gone, _ = Assignment.objects.using(DATABASE).filter(saga_id=saga_id).delete()
        if not gone:
            raise NotNow("nobody has claimed it")
        return _note(saga_id, "release", mandate, "released")


def step_for_hands(saga: Saga) -> tuple[str, bool]:
    """Return the step that waits for somebody's hand, and whether it is its undo that waits.

    Raises:
        NotNow: it waits for nobody's hand.
    """
    if saga.state == FAILED and saga.given_up:
        return saga.given_up[0], True
    if saga.parked in (Parked.REFUSED_PAST_PIVOT, Parked.RETRIES_EXHAUSTED):
        return saga.due_step, False
    raise NotNow(f"it is {saga.parked or saga.state} and waits for nobody's hand")


def evidence_of(saga: Saga) -> Evidence:
    """Return what is asked about the sagas of this kind; NotNow if there is nothing."""
    if saga.definition.evidence is None:
        raise NotNow(f"sagas of kind {saga.kind} have nobody to ask")
    return saga.definition.evidence


def _decide(
    saga_id: UUID,
    verb: str,
    mandate: Mandate,
    act: Callable[[Saga], str],
    *,
    dispatch: bool = True,
) -> OperatorAction:
    """Compare, act and log under the row's lock; then dispatch."""
    action: OperatorAction | None = None

    def decide(saga: Saga) -> bool:
        nonlocal action
        must_be_as_seen(saga, mandate)
        state, epoch = saga.state, saga.epoch
        action = write_log(saga.pk, verb, mandate, act(saga), state=state, epoch=epoch)
        return dispatch

    operations.change(saga_id, decide)
    assert action is not None
    return action


def _note(
    saga_id: UUID, verb: str, mandate: Mandate, effect: str, *, dispatch: bool = False
) -> OperatorAction:
    """Log a verb that does not change the saga's row itself."""
    saga = journal.read(saga_id)
    action = write_log(saga_id, verb, mandate, effect, state=saga.state, epoch=saga.epoch)
    if dispatch and not saga.parked and saga.claimed_at is None:
        operations.dispatch(saga_id)
    return action


def _taken(saga_id: UUID, mandate: Mandate) -> Saga:
    """Take a saga for a call to outside, so that of two equal words only one is carried out.

    Raises:
        NotNow: a worker is on it this moment.
        Changed: it is not what the operator saw, or somebody was faster.
    """
    saga = journal.read(saga_id)
    must_be_as_seen(saga, mandate)
    if saga.claimed_at is not None and not saga.is_due:
        raise NotNow(f"a worker is on {saga.due_step} this moment")
    try:
        journal.touch(saga)
    except journal.Superseded as faster:
        raise Changed("somebody was faster. Nothing was done; look again") from faster
    return saga


def _free_to_try(saga: Saga) -> str:
    seen = saga.state
    if seen == FAILED:
        given_up = ", ".join(saga.given_up)
        saga.retry_compensation()
        effect = f"undo of {given_up} is tried again"
    elif saga.parked == Parked.PAUSED:
        raise NotNow("it is paused; resume it")
    elif saga.parked:
        effect = f"{saga.due_step} is tried again"
        saga.parked = Parked.NO
    elif saga.due_at is None:
        effect = _owed_follow_up(saga)
    elif saga.claimed_at is not None and not saga.is_due:
        raise NotNow(f"a worker is on {saga.due_step} until {saga.lease_until:%H:%M:%S} UTC")
    else:
        effect = f"{saga.due_step} is dispatched now"
    _save_due_now(saga, seen)
    return effect


def _owed_follow_up(saga: Saga) -> str:
    """Return the effect of telling the shopper after all; NotNow if nothing is owed."""
    follow_up = saga.definition.after_compensated if saga.state == COMPENSATED else None
    told = saga.runs.using(DATABASE).filter(
        direction=Direction.FOLLOW_UP, outcome=Outcome.SUCCEEDED
    )
    if follow_up is None or told.exists():
        raise NotNow(f"it is {saga.state}: there is nothing to retry")
    return f"{follow_up.name} is tried again"


def _unpark(saga: Saga) -> str:
    saga.parked = Parked.NO
    effect = f"{saga.due_step} goes on"
    _save_due_now(saga, saga.state)
    return effect


def _save_due_now(saga: Saga, seen: str) -> None:
    saga.attempts = saga.recoveries = 0
    journal.save(saga, seen_state=seen, run=journal.lost_run(saga), wait=0, raise_epoch=True)


def _undo_by_hand(saga: Saga, step: str, by_hand: Mapping[str, Any]) -> None:
    seen = saga.state
    saga.undone = {**saga.undone, step: dict(by_hand)}
    saga.retry_compensation()
    _save_due_now(saga, seen)


def _do_by_hand(saga: Saga, step: str, by_hand: Mapping[str, Any]) -> None:
    seen = saga.state
    saga.results = {**saga.results, step: dict(by_hand)}
    saga.complete_step()
    saga.parked = Parked.NO
    saga.attempts = saga.recoveries = 0
    journal.save(
        saga, seen_state=seen, wait=0 if saga.next_step is not None else None, raise_epoch=True
    )
