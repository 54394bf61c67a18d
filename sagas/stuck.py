"""Why a saga does not move this moment, in words for support staff."""

from dataclasses import dataclass

from django.db.models import Q
from django.db.models.functions import Now

from sagas.models import AT_REST, COMPENSATED, COMPLETE, FAILED, Outcome, Parked, Saga
from sagas.registry import UnknownDefinition

#: Word for word the condition of the index ``sagas_unfinished``.
UNFINISHED = ~Q(state__in=(COMPLETE, COMPENSATED))


@dataclass(frozen=True)
class Standing:
    """What a saga waits for (empty at rest), and whether somebody should look at it."""

    words: str
    stuck: bool


def standing_of(saga: Saga) -> Standing:
    """Tell what ``saga`` waits for, and whether that is overdue.

    Args:
        saga: read through ``journal.sagas_now``, which asks the database's clock.
    """
    if saga.state == FAILED:
        return Standing(f"undo failed: {', '.join(saga.given_up)}", stuck=True)
    if saga.parked in (Parked.PAUSED, Parked.UNKNOWN_VERSION):
        return Standing(Parked(saga.parked).label, stuck=True)
    if saga.parked:
        return Standing(f"parked for a human: {Parked(saga.parked).label}", stuck=True)
    if saga.due_at is None:
        return Standing("", stuck=False)
    # A COMPENSATED saga only owes its mail; nothing is held any more.
    stuck = bool(saga.is_due) and saga.state not in AT_REST
    step = _due_step(saga)
    if saga.claimed_at is not None:
        words = f"lease expired during {step}" if saga.is_due else f"running {step}"
    elif saga.error_outcome == Outcome.WAITING and saga.error_step == step and not saga.is_due:
        until = f" until {saga.deadline_at:%H:%M:%S} UTC" if saga.is_before_pivot else ""
        words = f"waiting {saga.error_message}{until}"
    elif saga.next_attempt_at is not None:
        doubt = "in doubt, " if saga.error_outcome == Outcome.IN_DOUBT else ""
        words = (
            f"{doubt}{step} overdue for its next attempt"
            if saga.is_due
            else (f"{doubt}{step} backing off until {saga.next_attempt_at:%H:%M:%S} UTC")
        )
    else:
        words = f"waiting for a worker for {step}"
    if saga.state == COMPENSATED:
        words = f"made good; {words}"
    return Standing(words, stuck=stuck)


def _due_step(saga: Saga) -> str:
    try:
        return saga.due_step
    except UnknownDefinition:
        return "a step of an unknown definition"


def stuck_sagas() -> Q:
    """Return the condition that is true of the sagas whose ``standing_of`` says stuck.

    It repeats the conditions of the indexes ``sagas_needs_a_human`` and ``sagas_unfinished``, so
    that few rows are read. Whatever is parked waits for a human, even if only a mail is owed.
    """
    overdue = Q(next_attempt_at__isnull=False, next_attempt_at__lte=Now()) | Q(
        next_attempt_at__isnull=True, lease_until__lte=Now()
    )
    return Q(state=FAILED) | ~Q(parked="") | (UNFINISHED & overdue)
