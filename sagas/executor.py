"""Does or undoes ONE step of one saga, and saves how it ended. Knows no Celery."""

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError

from sagas import disturbances, journal
from sagas.definitions import Part
from sagas.endings import STOP, Ending, compensate, end_badly, end_well, hold, park, wait
from sagas.errors import note_of
from sagas.models import Direction, Outcome, Parked, Saga, StepRun
from sagas.participant.receipts import AlreadyCompensated
from sagas.registry import UnknownDefinition

log = structlog.get_logger(__name__)

#: Errors of transport that time may heal, for every step.
_TRANSIENT = (OperationalError, InterfaceError, ConnectionError, TimeoutError)


@contextmanager
def _without_limit(seconds: float) -> Iterator[None]:
    yield


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One message's order: run this step of this saga, in this epoch.

    ``limited_to`` is the caller's way to cut a block off after so many seconds, and ``timeouts``
    are the exceptions by which it does.
    """

    saga_id: UUID
    step: str
    direction: Direction
    epoch: int
    worker: str = ""
    limited_to: Callable[[float], AbstractContextManager[None]] = _without_limit
    timeouts: tuple[type[Exception], ...] = ()


def run(attempt: Attempt) -> Ending:
    """Run one attempt and save how it ended.

    Returns:
        What to do next. Stale, doubled and late messages end in STOP and are logged.
    """
    saga = journal.read(attempt.saga_id, step=attempt.step)
    try:
        if _is_stale(saga, attempt):
            return STOP
        if saga.is_before_pivot and saga.past_deadline:
            return compensate(saga, reason="deadline", step=attempt.step)
        if attempt.direction is Direction.DO and saga.step_is_held:
            return hold(saga)
        part = part_due(saga)
        journal.claim(saga, time_limit=part.time_limit)
        return _run_claimed(saga, attempt, part)
    except UnknownDefinition:
        return park(saga, Parked.UNKNOWN_VERSION)
    except journal.Superseded as superseded:
        _logger(attempt).warning("superseded", detail=str(superseded))
        return STOP


def _is_stale(saga: Saga, attempt: Attempt) -> bool:
    """Tell whether the row has nothing to do with this message any more, and log why."""
    is_mine = (
        saga.epoch == attempt.epoch
        and not saga.parked
        and saga.claimed_at is None
        and saga.due_direction == attempt.direction
        and saga.due_step == attempt.step
    )
    if not is_mine:
        _logger(attempt).info(
            "message_is_stale",
            row_epoch=saga.epoch,
            row_state=saga.state,
            row_claimed=saga.claimed_at is not None,
            row_parked=saga.parked,
        )
    return not is_mine


def part_due(saga: Saga) -> Part:
    """Return what the saga's next attempt runs, and by which limits.

    Raises:
        LookupError: nothing is due.
        UnknownDefinition: the running code does not know the saga's definition.
    """
    definition = saga.definition
    if saga.due_direction is Direction.FOLLOW_UP and definition.after_compensated:
        told = definition.after_compensated
        return Part(
            act=told.do,
            retry=told.limits.do,
            time_limit=told.limits.seconds,
            refusals=told.refusals,
            transient=told.transient,
        )
    step = definition.step(saga.due_step)
    forward = saga.due_direction is Direction.DO
    act = step.do if forward else step.undo
    if not callable(act):
        raise LookupError(f"step {step.name} of saga {saga.kind} has nothing to undo")
    return Part(
        act=act,
        retry=step.limits.do if forward else step.limits.undo,
        time_limit=step.limits.seconds,
        refusals=(*step.refusals, AlreadyCompensated),
        in_doubt=step.in_doubt,
        waits=step.waits if forward else (),
        transient=step.transient,
    )


def _run_claimed(saga: Saga, attempt: Attempt, part: Part) -> Ending:
    history = StepRun(
        saga=saga,
        step=attempt.step,
        direction=attempt.direction,
        attempt=saga.attempts,
        epoch=saga.epoch,
        worker=attempt.worker,
        outcome=Outcome.SUCCEEDED,
    )
    begun = time.monotonic()
    try:
        try:
            if settings.STAGING_CHAOS:
                part = disturbances.staged(part, saga)
            with attempt.limited_to(part.time_limit):
                result = part.act(saga.context)
        except Exception as error:  # noqa: BLE001  (saved on the saga with type, message and step)
            history.duration_ms = _milliseconds_since(begun)
            _describe(history, error, _classify(error, part, attempt), attempt)
            if history.outcome == Outcome.WAITING:
                return wait(saga, history)
            asked_for: float = getattr(error, "retry_after", 0.0)
            return end_badly(saga, history, part.retry, not_before=asked_for)
        history.duration_ms = _milliseconds_since(begun)
        history.result = dict(result)
        return end_well(saga, history)
    except journal.Superseded:
        # Came back after another had taken over: receipts kept the effect single, and the
        # row is theirs. The attempt itself stays visible.
        history.outcome = Outcome.SUPERSEDED
        journal.record(history)
        raise


def _classify(error: Exception, part: Part, attempt: Attempt) -> Outcome:
    if isinstance(error, part.waits):
        return Outcome.WAITING
    if isinstance(error, part.refusals):
        return Outcome.REFUSED
    if isinstance(error, part.in_doubt):
        return Outcome.IN_DOUBT
    if isinstance(error, attempt.timeouts):
        # Cut off in the middle of a call, nobody knows what the other side did.
        return Outcome.IN_DOUBT if part.in_doubt else Outcome.TRANSIENT
    if isinstance(error, (*part.transient, *_TRANSIENT)):
        return Outcome.TRANSIENT
    return Outcome.UNEXPECTED


def _describe(history: StepRun, error: Exception, outcome: Outcome, attempt: Attempt) -> None:
    note = note_of(error)
    history.outcome = outcome
    history.error_type, history.error_code = note.type, note.code
    history.error_message = note.message
    words = {
        "outcome": outcome.value,
        "error": note.type,
        "code": note.code,
        "detail": note.message,
    }
    if outcome is Outcome.UNEXPECTED:
        # The frames only: the exception's own text may quote personal data.
        frames = "".join(traceback.format_tb(error.__traceback__))
        _logger(attempt).error("step_did_not_succeed", **words, frames=frames)
    elif outcome is Outcome.WAITING:
        _logger(attempt).info("step_waits", detail=note.message)
    else:
        _logger(attempt).warning("step_did_not_succeed", **words)


def _logger(attempt: Attempt) -> structlog.stdlib.BoundLogger:
    bound: structlog.stdlib.BoundLogger = log.bind(
        saga_id=str(attempt.saga_id),
        step=attempt.step,
        direction=attempt.direction.value,
        epoch=attempt.epoch,
    )
    return bound


def _milliseconds_since(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)
