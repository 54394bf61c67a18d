"""The verbs of the saga page: who may press them, when they are offered, and what they would do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin

from sagas import verbs
from sagas.evidence import Call, CallState, Verdict
from sagas.mandates import Mandate
from sagas.models import AT_REST, COMPENSATED, FAILED, OperatorAction, Parked, Saga
from sagas.operations import NotNow

User = AbstractBaseUser | AnonymousUser | PermissionsMixin


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One button of the saga page.

    ``refusal`` says why a verb is not offered for this saga now, empty if it is; ``calls`` is
    its dry run. A ``direct`` verb touches nothing but the operator log and needs no preview.
    """

    name: str
    label: str
    permission: str
    act: Callable[[UUID, Mandate], OperatorAction]
    refusal: Callable[[Saga, Verdict], str]
    calls: Callable[[Saga], Sequence[Call]]
    explanation: str
    needs_reference: bool = False
    direct: bool = False
    danger: bool = False


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A verb as one operator sees it on one saga; ``why_not`` is empty when it may be pressed."""

    verb: Verb
    label: str
    why_not: str = ""


def offers(saga: Saga, verdict: Verdict, user: User) -> list[Offer]:
    """Return every verb that needs a preview, with the reason if it cannot be pressed now."""
    return [offer_of(verb, saga, verdict, user) for verb in VERBS.values() if not verb.direct]


def offer_of(verb: Verb, saga: Saga, verdict: Verdict, user: User) -> Offer:
    """Return one verb as ``user`` sees it on ``saga``."""
    why_not = verb.refusal(saga, verdict) or permission_refusal(verb, saga, user)
    return Offer(verb=verb, label=_label(verb, saga), why_not=why_not)


def permission_refusal(verb: Verb, saga: Saga, user: User) -> str:
    """Return which permission is missing, empty if none is."""
    needed = [verb.permission]
    if verb.name == "compensate" and is_past_pivot(saga):
        needed = ["sagas.compensate_saga_past_pivot"]
        if saga.amount > settings.CONSOLE_PAST_PIVOT_LIMIT:
            needed.append("sagas.compensate_saga_any_amount")
    missing = [name for name in needed if not _may(user, name)]
    return f"you lack the permission {missing[0]}" if missing else ""


def needs_second_approver(verb: Verb, saga: Saga) -> bool:
    """Tell whether another operator has to agree: money is given back above a limit."""
    moves_money = verb.name == "resolve" or (verb.name == "compensate" and is_past_pivot(saga))
    return moves_money and saga.amount > settings.CONSOLE_APPROVAL_AMOUNT


def is_past_pivot(saga: Saga) -> bool:
    """Tell whether the saga has passed its point of no return and is not being undone."""
    return saga.state in saga.definition.states and not saga.is_before_pivot


def _may(user: User, permission: str) -> bool:
    return bool(getattr(user, "has_perm", lambda _: False)(permission))


def _label(verb: Verb, saga: Saga) -> str:
    if verb.name == "retry" and (saga.state == FAILED or saga.parked):
        step = saga.given_up[0] if saga.given_up else saga.due_step
        return f"Retry from {step}"
    if verb.name == "compensate" and is_past_pivot(saga):
        return "Compensate past the pivot"
    return verb.label


# When a verb is offered ------------------------------------------------------------------


def _no_retry(saga: Saga, verdict: Verdict) -> str:
    if saga.parked == Parked.PAUSED:
        return "it is paused: resume it"
    if saga.claimed_at is not None and not saga.is_due:
        return f"a worker is on {saga.due_step} this moment"
    if saga.state == COMPENSATED and saga.due_at is None:
        if saga.definition.after_compensated is None:
            return "everything is settled"
        told = any(mail.kind == "apology" and mail.status == "SENT" for mail in verdict.mails or ())
        return "everything is settled" if told else ""
    if saga.state in AT_REST and saga.state != FAILED and saga.due_at is None:
        return "everything is settled"
    return ""


def _no_compensation(saga: Saga, _: Verdict) -> str:
    if saga.state not in saga.definition.states:
        return f"it is {saga.state}: there is nothing to turn back"
    if saga.definition.is_final_past_pivot and not saga.is_before_pivot:
        return f"what a {saga.kind} did is not taken back"
    return ""


def _no_pause(saga: Saga, _: Verdict) -> str:
    if saga.parked:
        return "it is held already"
    return "it does not move" if saga.due_at is None else ""


def _no_resume(saga: Saga, _: Verdict) -> str:
    return "" if saga.parked == Parked.PAUSED else "it is not paused"


def _no_hands(saga: Saga, verdict: Verdict) -> str:
    try:
        verbs.step_for_hands(saga)
    except NotNow as no:
        return str(no)
    if verdict.in_doubt or verdict.charged is None:
        return "the provider has not confirmed the payment: ask it first"
    return ""


def _nobody_to_ask(_: Saga, verdict: Verdict) -> str:
    return "" if verdict.payment else "no charge was begun"


def _no_mail(_: Saga, verdict: Verdict) -> str:
    sent = any(mail.status == "SENT" for mail in verdict.mails or ())
    return "" if sent else "no mail was sent yet"


def _always(_: Saga, __: Verdict) -> str:
    return ""


# Dry runs --------------------------------------------------------------------------------


def _next_calls(saga: Saga) -> Sequence[Call]:
    evidence = verbs.evidence_of(saga)
    if saga.state in saga.definition.states:
        steps = [step.name for step in saga.definition.steps_after(saga.state)]
        return evidence.calls(saga.pk, steps=steps, undo=False)
    if saga.state == COMPENSATED:
        return _apology(saga)
    left = {*(step.name for step in saga.undos_left), *saga.given_up}
    steps = [s.name for s in saga.definition.steps_to_undo(saga.reached) if s.name in left]
    return [*evidence.calls(saga.pk, steps=steps, undo=True), *_apology(saga)]


def _undo_calls(saga: Saga) -> Sequence[Call]:
    steps = [step.name for step in saga.definition.steps_to_undo(saga.state)]
    undone = verbs.evidence_of(saga).calls(saga.pk, steps=steps, undo=True)
    return [*undone, *_apology(saga)]


def _apology(saga: Saga) -> Sequence[Call]:
    told = saga.definition.after_compensated
    if told is None:
        return []
    return verbs.evidence_of(saga).calls(saga.pk, steps=[told.name], undo=False)


def _hands_calls(saga: Saga) -> Sequence[Call]:
    step, undo = verbs.step_for_hands(saga)
    what = f"undo of {step}" if undo else step
    return [
        Call(system="domain or provider", what=f"confirm that the {what} was settled by hand"),
        Call(system="saga", what=f"record the {what} with your reference, then go on"),
    ]


def _ask_calls(saga: Saga) -> Sequence[Call]:
    asked = Call(system="provider", what="look the payment up and record what it says")
    if saga.reached:
        # A payment that is being taken back is taken back to the end.
        pivot = [step.name for step in saga.definition.steps if step.pivot]
        return [asked, *verbs.evidence_of(saga).calls(saga.pk, steps=pivot, undo=True)]
    return [asked, Call(system="saga", what="go on at once with what was learnt")]


def _mail_calls(saga: Saga) -> Sequence[Call]:
    return [Call(system="mail", what="send the last mail again, with the same Message-ID")]


def _no_calls(_: Saga) -> Sequence[Call]:
    return [Call(system="saga", what="no call to anybody", state=CallState.NOT_NEEDED)]


_ALL = (
    Verb(
        name="retry",
        label="Retry now",
        permission="sagas.retry_saga",
        act=lambda saga_id, word: verbs.retry(saga_id, mandate=word),
        refusal=_no_retry,
        calls=_next_calls,
        explanation="The saga goes on from the step that has not succeeded, with new attempts.",
    ),
    Verb(
        name="compensate",
        label="Compensate",
        permission="sagas.compensate_saga",
        act=lambda saga_id, word: verbs.compensate(saga_id, mandate=word, past_pivot=True),
        refusal=_no_compensation,
        calls=_undo_calls,
        explanation="Everything that was done is undone, last first, and the shopper is told.",
        danger=True,
    ),
    Verb(
        name="ask",
        label="Ask the provider",
        permission="sagas.ask_saga",
        act=lambda saga_id, word: verbs.ask(saga_id, mandate=word),
        refusal=_nobody_to_ask,
        calls=_ask_calls,
        explanation="The provider says how the payment stands; that settles a charge in doubt.",
    ),
    Verb(
        name="mail",
        label="Send the mail again",
        permission="sagas.mail_saga",
        act=lambda saga_id, word: verbs.mail_again(saga_id, mandate=word),
        refusal=_no_mail,
        calls=_mail_calls,
        explanation="The shopper gets the last mail once more.",
    ),
    Verb(
        name="pause",
        label="Pause",
        permission="sagas.pause_saga",
        act=lambda saga_id, word: verbs.pause(saga_id, mandate=word),
        refusal=_no_pause,
        calls=_no_calls,
        explanation=(
            "The saga stays where it is until somebody resumes it. Its deadline goes on: past "
            "it, an unpaid checkout is undone when it is resumed."
        ),
    ),
    Verb(
        name="resume",
        label="Resume",
        permission="sagas.pause_saga",
        act=lambda saga_id, word: verbs.resume(saga_id, mandate=word),
        refusal=_no_resume,
        calls=_next_calls,
        explanation="The saga goes on from where it was paused.",
    ),
    Verb(
        name="resolve",
        label="Resolve by hand",
        permission="sagas.resolve_saga",
        act=lambda saga_id, word: verbs.resolve(saga_id, mandate=word),
        refusal=_no_hands,
        calls=_hands_calls,
        explanation=(
            "You settled outside of the system what it could not do, such as a refund by bank "
            "transfer. The domain has to confirm what it can see."
        ),
        needs_reference=True,
        danger=True,
    ),
    Verb(
        name="note",
        label="Add a note",
        permission="sagas.note_saga",
        act=lambda saga_id, word: verbs.note(saga_id, mandate=word),
        refusal=_always,
        calls=_no_calls,
        explanation="",
        direct=True,
    ),
    Verb(
        name="claim",
        label="Claim",
        permission="sagas.note_saga",
        act=lambda saga_id, word: verbs.claim(saga_id, mandate=word),
        refusal=_always,
        calls=_no_calls,
        explanation="",
        direct=True,
    ),
    Verb(
        name="release",
        label="Release",
        permission="sagas.note_saga",
        act=lambda saga_id, word: verbs.release(saga_id, mandate=word),
        refusal=_always,
        calls=_no_calls,
        explanation="",
        direct=True,
    ),
)

#: name -> verb, in the order of the buttons.
VERBS = {verb.name: verb for verb in _ALL}
