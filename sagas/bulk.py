"""One verb on many sagas: paced, the first few before the rest, stopped by too many failures.

The ids are frozen when the operator looks. A run goes on in slices; a worker that dies in
one leaves a lease behind, and the next tick of the schedule takes the run up again. What is
reported of a saga is what became of it, not that something was asked for.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from celery import shared_task
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now

from sagas import journal, tasks, verbs
from sagas.errors import note_of
from sagas.evidence import CannotAsk, NotConfirmed
from sagas.mandates import Mandate
from sagas.models import (
    COMPENSATED,
    COMPLETE,
    DATABASE,
    FAILED,
    BulkItem,
    BulkRun,
    OperatorAction,
    Parked,
    Saga,
)
from sagas.operations import NotNow
from sagas.participant import crash
from sagas.registry import UnknownDefinition

log = structlog.get_logger(__name__)

State, Outcome = BulkRun.State, BulkItem.Outcome
ACTIVE = (State.CANARY, State.RUNNING)
#: Sagas of one run at the most.
MOST = 10_000
#: Seconds of one slice, of the lease that it holds, and after which a saga is given up on.
_SLICE, _LEASE, _PATIENCE = 4.0, 20.0, 600.0
_TICK = "sagas.bulk_tick"

_ACTS: Mapping[str, Callable[[UUID, Mandate], OperatorAction]] = {
    "retry": lambda saga_id, word: verbs.retry(saga_id, mandate=word),
    "compensate": lambda saga_id, word: verbs.compensate(saga_id, mandate=word, past_pivot=True),
    "pause": lambda saga_id, word: verbs.pause(saga_id, mandate=word),
    "resume": lambda saga_id, word: verbs.resume(saga_id, mandate=word),
}
VERBS = tuple(_ACTS)

#: Says why an operator may not act on one saga of a run, empty if they may.
Refusal = Callable[[str, Saga, Any], str]
_refusals: list[Refusal] = []


def ask_before_each(refusal: Refusal) -> None:
    """Let ``refusal`` be asked before each saga of each run."""
    _refusals.append(refusal)


def freeze(saga_ids: Sequence[UUID], *, operator: Any, verb: str, address: str | None) -> BulkRun:
    """Keep the ids that an operator looks at; nothing is done yet.

    Raises:
        NotNow: there are none, or too many.
    """
    if not 0 < len(saga_ids) <= MOST:
        raise NotNow(f"choose 1 to {MOST:,} sagas; these are {len(saga_ids):,}")
    with crash.committing("sagas.freeze_bulk", using=DATABASE):
        run = BulkRun.objects.using(DATABASE).create(verb=verb, operator=operator, address=address)
        BulkItem.objects.using(DATABASE).bulk_create(
            (BulkItem(run=run, saga_id=pk, position=n) for n, pk in enumerate(saga_ids)),
            batch_size=1000,
        )
    return run


def begin(run: BulkRun, *, reason: str, per_second: int, canary: int, max_failures: int) -> None:
    """Begin a run that was looked at.

    Args:
        reason: for the operator log of each saga.
        per_second: sagas a second at the most.
        canary: how many come first; the rest waits until these have ended well.
        max_failures: the run stops when more sagas than this did not end as wanted.

    Raises:
        NotNow: it has begun already.
    """
    with crash.statement("sagas.begin_bulk", using=DATABASE):
        begun = _of(run, State.LOOKED_AT).update(
            state=State.CANARY,
            reason=reason,
            per_second=per_second,
            canary=canary,
            max_failures=max_failures,
        )
    if not begun:
        raise NotNow("this run has begun already")
    _ask_for_a_tick()


def stop(run: BulkRun, *, why: str) -> bool:
    """Let no further saga of the run be begun; False if it had ended."""
    stopped = BulkRun.objects.using(DATABASE).filter(pk=run.pk, state__in=ACTIVE)
    with crash.statement("sagas.stop_bulk", using=DATABASE):
        return bool(stopped.update(state=State.STOPPED, stopped_why=why, finished_at=Now()))


def counts_of(run: BulkRun) -> Mapping[str, int]:
    """Return how many sagas of the run have each outcome."""
    counted = BulkItem.objects.using(DATABASE).filter(run=run).values_list("outcome")
    found = dict(counted.annotate(n=Count("pk")).order_by())
    return {outcome: found.get(outcome, 0) for outcome in Outcome.values}


def advance(run: BulkRun) -> bool:
    """Go on with a run for one slice, unless another worker is on it.

    Returns:
        Whether more could be begun at once; what is only waited for is left to the schedule.
    """
    free = Q(busy_until=None) | Q(busy_until__lte=Now())
    mine = BulkRun.objects.using(DATABASE).filter(free, pk=run.pk).exclude(state=State.DONE)
    with crash.statement("sagas.claim_bulk", using=DATABASE):
        claimed = mine.update(busy_until=journal.in_seconds(_LEASE))
    if not claimed:
        return False
    run.refresh_from_db(using=DATABASE)
    until = time.monotonic() + _SLICE
    began = True
    while began and time.monotonic() < until:
        _judge_what_is_under_way(run)
        _move(run)
        began = run.state in ACTIVE and _begin_next(run)
        if began:
            time.sleep(1 / max(1, run.per_second))
    with crash.statement("sagas.release_bulk", using=DATABASE):
        BulkRun.objects.using(DATABASE).filter(pk=run.pk).update(busy_until=None)
    return began


def _begin_next(run: BulkRun) -> bool:
    """Begin the next saga that may be begun; False if there is none just now."""
    waiting = _items(run, Outcome.WAITING)
    if run.state == State.CANARY:
        waiting = waiting.filter(position__lt=run.canary)
    item = waiting.order_by("position").first()
    if item is None:
        return False
    with crash.statement("sagas.begin_bulk_item", using=DATABASE):
        begun = waiting.filter(pk=item.pk).update(outcome=Outcome.UNDER_WAY, begun_at=Now())
    if begun:
        _act(run, item)
    return True


def _act(run: BulkRun, item: BulkItem) -> None:
    word = Mandate(
        operator=run.operator, reason=f"{run.reason} (bulk run {run.pk})", address=run.address
    )
    try:
        saga = journal.read(item.saga_id)
        for refusal in _refusals:
            if why_not := refusal(run.verb, saga, run.operator):
                raise NotNow(why_not)
        action = _ACTS[run.verb](item.saga_id, word)
    except (NotNow, CannotAsk, NotConfirmed, UnknownDefinition, journal.Superseded) as no:
        _end(item, Outcome.SKIPPED, str(no))
    except Exception as error:  # noqa: BLE001  (one saga must not end the run; it is reported)
        note = note_of(error)
        log.error("bulk_verb_failed", saga_id=str(item.saga_id), error=note.type)
        _end(item, Outcome.FAILED, f"{note.type}: {note.message}")
    else:
        with crash.statement("sagas.note_bulk_item", using=DATABASE):
            _items(run, Outcome.UNDER_WAY).filter(pk=item.pk).update(words=action.effect)


def _judge_what_is_under_way(run: BulkRun) -> None:
    """Say of each saga that came to rest how it ended."""
    overdue = Q(begun_at__lt=journal.in_seconds(-_PATIENCE))
    late = set(_items(run, Outcome.UNDER_WAY).filter(overdue).values_list("pk", flat=True))
    for item in _items(run, Outcome.UNDER_WAY).select_related("saga"):
        saga = item.saga
        if run.verb == "pause":
            well = saga.parked == Parked.PAUSED
            _end(item, Outcome.SUCCEEDED if well else Outcome.FAILED, saga.parked or saga.state)
        elif saga.state in (COMPLETE, COMPENSATED):
            wanted = saga.state == COMPENSATED if run.verb == "compensate" else True
            _end(item, Outcome.SUCCEEDED if wanted else Outcome.FAILED, saga.state)
        elif saga.state == FAILED or saga.parked:
            _end(item, Outcome.FAILED, saga.parked or f"{FAILED}: {', '.join(saga.given_up)}")
        elif item.pk in late:
            _end(item, Outcome.FAILED, f"still {saga.state} after {_PATIENCE / 60:g} minutes")


def _move(run: BulkRun) -> None:
    """Bring the run to its next state: on from the canary, stopped, or done."""
    counts = counts_of(run)
    failed = counts[Outcome.FAILED]
    open_items = counts[Outcome.WAITING] + counts[Outcome.UNDER_WAY]
    if run.state in ACTIVE and failed > run.max_failures:
        stop(run, why=f"{failed} sagas did not end as wanted")
    elif run.state == State.CANARY and failed:
        stop(run, why="one of the first few did not end as wanted")
    elif run.state in ACTIVE and not open_items:
        with crash.statement("sagas.finish_bulk", using=DATABASE):
            _of(run, *ACTIVE).update(state=State.DONE, finished_at=Now())
    elif run.state == State.CANARY and not _canary_is_open(run):
        with crash.statement("sagas.widen_bulk", using=DATABASE):
            _of(run, State.CANARY).update(state=State.RUNNING)
    run.refresh_from_db(using=DATABASE)


def _canary_is_open(run: BulkRun) -> bool:
    first = BulkItem.objects.using(DATABASE).filter(run=run, position__lt=run.canary)
    return first.filter(outcome__in=(Outcome.WAITING, Outcome.UNDER_WAY)).exists()


def _end(item: BulkItem, outcome: str, words: str) -> None:
    mine = BulkItem.objects.using(DATABASE).filter(pk=item.pk, outcome=Outcome.UNDER_WAY)
    with crash.statement("sagas.end_bulk_item", using=DATABASE):
        mine.update(outcome=outcome, words=words[:500], ended_at=Now())


def _items(run: BulkRun, outcome: str) -> QuerySet[BulkItem]:
    return BulkItem.objects.using(DATABASE).filter(run=run, outcome=outcome)


def _of(run: BulkRun, *states: str) -> QuerySet[BulkRun]:
    return BulkRun.objects.using(DATABASE).filter(pk=run.pk, state__in=states)


def _ask_for_a_tick() -> None:
    try:
        with crash.calling("sagas.ask_for_bulk_tick"):
            tick.apply_async(queue=tasks.COMPENSATION_QUEUE)
    except tasks.BROKER_ERRORS as error:
        log.warning("bulk_tick_not_published", error=type(error).__name__)


@shared_task(name=_TICK)
def tick(**_: Any) -> None:
    """Go on with every run that is open; asks for another tick while one has more to begin."""
    unjudged = Q(items__outcome=Outcome.UNDER_WAY)
    open_runs = BulkRun.objects.using(DATABASE).filter(
        Q(state__in=ACTIVE) | (Q(state=State.STOPPED) & unjudged)
    )
    runs = list(open_runs.select_related("operator").order_by("created_at").distinct())
    more = [advance(run) for run in runs]
    if any(more):
        _ask_for_a_tick()
