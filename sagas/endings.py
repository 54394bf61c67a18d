"""Where a saga goes after an attempt: on, back, wait, park or fail. Each is one fenced save."""

from dataclasses import dataclass
from enum import StrEnum

import structlog
from django.conf import settings
from django.db import transaction

from sagas import alerts, journal
from sagas.definitions import Retry
from sagas.models import COMPLETE, DATABASE, Direction, Outcome, Parked, Saga, StepRun

log = structlog.get_logger(__name__)

#: A bug is tried again a few times only: it may be a race, but seldom heals.
_UNEXPECTED_ATTEMPTS = 3
#: Seconds until a saga whose step is held back by a switch looks again.
_HELD_BACK = 15.0


class Verdict(StrEnum):
    """What the sender of the attempt does next."""

    GO_ON = "go on"  # saved; the chain's next message may go out
    STOP = "stop"  # nothing to do here, now
    WAKE = "wake"  # saved with a time for the next attempt: ask for a dispatch then


@dataclass(frozen=True)
class Ending:
    """The verdict, and in how many seconds a WAKE is due."""

    verdict: Verdict
    wait: float = 0.0


STOP = Ending(Verdict.STOP)


def end_well(saga: Saga, run: StepRun) -> Ending:
    """Save a step that succeeded, with the lease for the message that comes next."""
    saga.attempts = saga.recoveries = 0
    match run.direction:
        case Direction.DO:
            return _step_done(saga, run)
        case Direction.UNDO:
            saga.undone = {**saga.undone, run.step: run.result}
            return _undo_settled(saga, run)
        case _:
            journal.save(saga, seen_state=saga.state, run=run)
            return STOP


def end_badly(saga: Saga, run: StepRun, retry: Retry, *, not_before: float = 0.0) -> Ending:
    """Save a step that did not succeed: wait and retry, or give up in the direction's own way.

    ``not_before`` is how many seconds an outside system asked to be left alone.
    """
    limit = retry.attempts
    if run.outcome == Outcome.UNEXPECTED:
        limit = min(limit, _UNEXPECTED_ATTEMPTS)
    if run.outcome != Outcome.REFUSED and saga.attempts < limit:
        wait = max(retry.delay_after(saga.attempts), min(not_before, retry.max_delay))
        saga.recoveries = 0  # a worker was on it: what held it up before is over
        journal.save(saga, seen_state=saga.state, run=run, wait=wait)
        return Ending(Verdict.WAKE, wait)
    match run.direction:
        case Direction.DO:
            return _give_up_forward(saga, run)
        case Direction.UNDO:
            saga.given_up = [*saga.given_up, run.step]
            saga.attempts = saga.recoveries = 0
            transaction.on_commit(lambda: alerts.undo_failed(saga, run), using=DATABASE)
            return _undo_settled(saga, run)
        case _:
            journal.save(saga, seen_state=saga.state, run=run)
            transaction.on_commit(lambda: alerts.follow_up_failed(saga, run), using=DATABASE)
            return STOP


def wait(saga: Saga, run: StepRun) -> Ending:
    """Look again a while later whether somebody else has acted; counts no attempt.

    The history tells once that the step waits, not of every look.
    """
    is_known = (saga.error_step, saga.error_outcome) == (run.step, Outcome.WAITING)
    saga.attempts -= 1
    saga.recoveries = 0
    seconds: float = settings.SAGA_POLL_INTERVAL
    journal.save(saga, seen_state=saga.state, run=None if is_known else run, wait=seconds)
    return Ending(Verdict.WAKE, seconds)


def compensate(
    saga: Saga, *, reason: str, step: str = "", detail: str = "", run: StepRun | None = None
) -> Ending:
    """Turn the saga back and save it fenced, due at once.

    Args:
        saga: as read; goes forward, or is parked while going forward.
        reason: why, as a stable kebab-case code that shoppers' pages translate.
        step: the step that did not happen.
        detail: the reason in words, without personal data.
        run: the attempt that decided it, if one did.

    Raises:
        TransitionNotAllowed: the saga does not go forward.
        Superseded: someone else changed it since it was read.
    """
    seen = saga.state
    saga.begin_compensation(reason=reason, step=step, detail=detail)
    saga.attempts = saga.recoveries = 0
    saga.parked = Parked.NO
    journal.save(saga, seen_state=seen, run=run, wait=0, raise_epoch=True)
    log.info("compensation_begins", saga_id=str(saga.pk), reason=reason, step=step)
    return Ending(Verdict.WAKE)


def hold(saga: Saga) -> Ending:
    """Look again a while later whether the step is still held back; counts no attempt."""
    saga.recoveries = 0
    journal.save(saga, seen_state=saga.state, wait=_HELD_BACK)
    log.info("step_is_held_back", saga_id=str(saga.pk), step=saga.due_step)
    return STOP


def park(saga: Saga, why: Parked, *, run: StepRun | None = None) -> Ending:
    """Take the saga out of recovery's hands until a person, or newer code, decides."""
    saga.parked = why
    journal.save(saga, seen_state=saga.state, run=run)
    # Dispatch parks inside its transaction, and an alert may be a mail.
    transaction.on_commit(lambda: alerts.parked(saga), using=DATABASE)
    return STOP


def _step_done(saga: Saga, run: StepRun) -> Ending:
    seen = saga.state
    saga.results = {**saga.results, run.step: run.result}
    saga.complete_step()
    if saga.state == COMPLETE:
        journal.save(saga, seen_state=seen, run=run)
        log.info("saga_complete", saga_id=str(saga.pk))
        return Ending(Verdict.GO_ON)
    journal.save(saga, seen_state=seen, run=run, lease=settings.SAGA_QUEUE_LEASE)
    return Ending(Verdict.GO_ON)


def _undo_settled(saga: Saga, run: StepRun) -> Ending:
    """One undo is done or given up: go on with the next, or bring the compensation to its end."""
    if saga.undos_left:
        journal.save(saga, seen_state=saga.state, run=run, lease=settings.SAGA_QUEUE_LEASE)
        return Ending(Verdict.GO_ON)
    return end_compensation(saga, run)


def end_compensation(saga: Saga, run: StepRun | None) -> Ending:
    """Every undo is settled: COMPENSATED, or FAILED if one was given up."""
    seen = saga.state
    if saga.given_up:
        saga.fail()
        journal.save(saga, seen_state=seen, run=run)
        transaction.on_commit(lambda: alerts.failed(saga), using=DATABASE)
        return STOP
    saga.finish_compensation()
    owed = saga.definition.after_compensated is not None
    journal.save(saga, seen_state=seen, run=run, wait=0 if owed else None)
    log.info("saga_compensated", saga_id=str(saga.pk), reason=saga.reason)
    return Ending(Verdict.WAKE) if owed else STOP


def _give_up_forward(saga: Saga, run: StepRun) -> Ending:
    if saga.is_before_pivot:
        refused = run.outcome == Outcome.REFUSED
        return compensate(
            saga,
            reason=run.error_code if refused and run.error_code else "retries-exhausted",
            step=run.step,
            detail=run.error_message,
            run=run,
        )
    if run.outcome == Outcome.REFUSED:
        return park(saga, Parked.REFUSED_PAST_PIVOT, run=run)
    return park(saga, Parked.RETRIES_EXHAUSTED, run=run)
