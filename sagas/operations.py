"""The verbs: start, dispatch, cancel, retry, compensate. Every resume is one verb, ``dispatch``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction

from sagas import endings, executor, journal, registry, tasks
from sagas.models import DATABASE, FAILED, OperatorAction, Parked, Saga

log = structlog.get_logger(__name__)

#: Reasons for undoing that are not a step's own refusal.
CANCELLED = "cancelled"
BY_OPERATOR = "operator"

#: Seconds until recovery sends again what the broker did not take.
_REPUBLISH_AFTER = 1.0


class KeyReused(Exception):
    """The idempotency key belongs to another request of the same principal."""

    code = "idempotency-key-reused"


class NotNow(Exception):
    """The verb does not fit what the saga is doing; the text says why."""

    code = "not-now"


class TooLate(NotNow):
    """The saga has passed its pivot, or is at rest."""

    code = "too-late"


@dataclass(frozen=True)
class Started:
    """The saga of a request, and whether this call is the one that made it."""

    saga: Saga
    created: bool


def find_request(
    *, kind: str, principal: str, idempotency_key: str, fingerprint: str
) -> Saga | None:
    """Return the saga that this very request started earlier, or None.

    Raises:
        KeyReused: the key was used with another request.
    """
    saga = (
        Saga.objects.using(DATABASE)
        .filter(kind=kind, principal=principal, idempotency_key=idempotency_key)
        .first()
    )
    if saga is not None and saga.request_fingerprint != fingerprint:
        raise KeyReused("this idempotency key was used with a different request")
    return saga


def start(
    *,
    kind: str,
    saga_id: UUID,
    principal: str,
    idempotency_key: str,
    fingerprint: str,
    input: Mapping[str, Any],
) -> Started:
    """Commit a new saga, then dispatch it; the same request again returns the same saga.

    A broker that is away does not matter: recovery dispatches what could not be published.

    Args:
        kind: which definition; its newest version is used.
        saga_id: the id it gets if it is new.
        principal: who asks, as a pseudonymous id ("user:42"); idempotency keys are theirs.
        idempotency_key: chosen by the caller.
        fingerprint: digest of the request, to tell a repeat from a reuse of the key.
        input: ids and amounts that the steps need.

    Raises:
        KeyReused: the key was used with another request.
    """
    definition = registry.newest(kind)
    saga = Saga(
        id=saga_id,
        kind=kind,
        version=definition.version,
        principal=principal,
        idempotency_key=idempotency_key,
        request_fingerprint=fingerprint,
        input=dict(input),
        lease_until=journal.in_seconds(settings.SAGA_QUEUE_LEASE),
        deadline_at=journal.in_seconds(definition.deadline),
    )
    try:
        with transaction.atomic(using=DATABASE):
            saga.save(using=DATABASE, force_insert=True)
    except IntegrityError:
        earlier = find_request(
            kind=kind, principal=principal, idempotency_key=idempotency_key, fingerprint=fingerprint
        )
        if earlier is None:
            raise
        return Started(earlier, created=False)
    _send(saga)
    return Started(journal.read(saga_id), created=True)


class Dispatch(StrEnum):
    """What a dispatch did."""

    SENT = "sent"
    LEFT_ALONE = "left alone"  # at rest, parked, not due, or in another dispatcher's hands
    NOT_PUBLISHED = "not published"  # the broker is away; the row stays due


def dispatch(saga_id: UUID, *, only_if_due: bool = False) -> Dispatch:
    """Send what is left of a saga to its workers, fencing off whoever was dispatched before.

    First it decides the way: a saga past its deadline before the pivot turns back, one
    whose last attempts were all lost gives up as if they had failed, and one whose
    definition the running code does not know is parked.

    Args:
        saga_id: which saga.
        only_if_due: leave it alone while its lease or its back-off still runs.
    """
    with transaction.atomic(using=DATABASE):
        saga = journal.lock(saga_id)
        if saga is None or not _may_move(saga, only_if_due=only_if_due):
            return Dispatch.LEFT_ALONE
        try:
            ending = _turn(saga)
            if ending is None:
                journal.fence(saga)
        except registry.UnknownDefinition:
            endings.park(saga, Parked.UNKNOWN_VERSION)
            return Dispatch.LEFT_ALONE
    if ending is None:
        return _send(saga)
    if ending.verdict is endings.Verdict.STOP:
        return Dispatch.LEFT_ALONE
    # It was turned back, or gave one undo up; what is left now is dispatched the same way.
    return dispatch(saga_id)


def cancel(saga_id: UUID) -> Saga:
    """Undo a saga because its shopper wants it; a repeat changes nothing.

    Raises:
        TooLate: the pivot is passed, or it ended otherwise.
    """

    def turn_back(saga: Saga) -> bool:
        if saga.is_before_pivot:
            endings.compensate(saga, reason=CANCELLED, step=saga.due_step)
            return True
        if saga.reason == CANCELLED:
            return False
        raise TooLate(f"the saga is {saga.state} and cannot be cancelled any more")

    return _change(saga_id, turn_back)


def retry(saga_id: UUID, *, operator: AbstractBaseUser | None, reason: str = "") -> str:
    """Let a waiting, parked or failed saga try again now.

    Args:
        saga_id: which saga.
        operator: who asks; kept with the reason in the operator log.
        reason: why.

    Returns:
        What was done, in words for the operator.

    Raises:
        NotNow: it is at rest, or a worker is on it this moment.
    """
    effect = ""

    def try_again(saga: Saga) -> bool:
        nonlocal effect
        effect = _free_to_try(saga)
        _log_action(saga, "retry", operator, reason, effect)
        return True

    _change(saga_id, try_again)
    return effect


def compensate(
    saga_id: UUID, *, operator: AbstractBaseUser | None, reason: str = "", past_pivot: bool = False
) -> str:
    """Undo a saga on an operator's word.

    Args:
        saga_id: which saga.
        operator: who asks; kept with the reason in the operator log.
        reason: why.
        past_pivot: whether this operator may undo what has passed the point of no return.

    Returns:
        What was done, in words for the operator.

    Raises:
        TooLate: it is past the pivot and ``past_pivot`` was not given.
        NotNow: it is being undone already, or was.
    """
    effect = ""

    def turn_back(saga: Saga) -> bool:
        nonlocal effect
        if saga.state not in saga.definition.states:
            raise NotNow(f"it is {saga.state}: there is nothing to turn back")
        if not saga.is_before_pivot and not past_pivot:
            raise TooLate(f"it is {saga.state}, past the pivot: this needs a higher permission")
        effect = f"compensation from {saga.state} begins"
        endings.compensate(saga, reason=BY_OPERATOR)
        _log_action(saga, "compensate", operator, reason, effect)
        return True

    _change(saga_id, turn_back)
    return effect


def _change(saga_id: UUID, change: Callable[[Saga], bool]) -> Saga:
    """Apply ``change`` to the locked row, then dispatch it if that is wanted."""
    with transaction.atomic(using=DATABASE):
        saga = journal.sagas_now().select_for_update().get(pk=saga_id)
        wants_dispatch = change(saga)
    if wants_dispatch:
        dispatch(saga_id)
    return journal.read(saga_id)


def _free_to_try(saga: Saga) -> str:
    seen = saga.state
    if seen == FAILED:
        given_up = ", ".join(saga.given_up)
        saga.retry_compensation()
        effect = f"undo of {given_up} is tried again"
    elif saga.parked:
        effect = f"{saga.due_step} is tried again"
        saga.parked = Parked.NO
    elif saga.due_at is None:
        raise NotNow(f"it is {seen}: there is nothing to retry")
    elif saga.claimed_at is not None and not saga.is_due:
        raise NotNow(f"a worker is on {saga.due_step} until {saga.lease_until:%H:%M:%S} UTC")
    else:
        effect = f"{saga.due_step} is dispatched now"
    saga.attempts = saga.recoveries = 0
    journal.save(saga, seen_state=seen, run=journal.lost_run(saga), wait=0, raise_epoch=True)
    return effect


def _may_move(saga: Saga, *, only_if_due: bool) -> bool:
    if saga.parked == Parked.UNKNOWN_VERSION:
        # Parked by code of another version; the running code may know it.
        saga.parked = Parked.NO
        return True
    if saga.parked or saga.due_at is None:
        return False
    return saga.is_due or not only_if_due


def _turn(saga: Saga) -> endings.Ending | None:
    """Decide whether the saga must not simply go on; None when it may."""
    lost = journal.lost_run(saga)
    if saga.is_before_pivot and saga.past_deadline:
        return endings.compensate(saga, reason="deadline", step=saga.due_step, run=lost)
    if saga.undoes_nothing:
        return endings.end_compensation(saga, lost)
    retry = executor.part_due(saga).retry
    if lost is not None and saga.attempts >= retry.attempts:
        return endings.end_badly(saga, lost, retry)
    return None


def _send(saga: Saga) -> Dispatch:
    if tasks.publish(saga):
        return Dispatch.SENT
    try:
        journal.save(saga, seen_state=saga.state, wait=_REPUBLISH_AFTER)
    except journal.Superseded:
        log.info("superseded_while_publishing", saga_id=str(saga.pk))
    return Dispatch.NOT_PUBLISHED


def _log_action(
    saga: Saga, verb: str, operator: AbstractBaseUser | None, reason: str, effect: str
) -> None:
    OperatorAction.objects.using(DATABASE).create(
        saga=saga,
        verb=verb,
        operator_id=operator.pk if operator else None,
        reason=reason,
        effect=effect,
    )
