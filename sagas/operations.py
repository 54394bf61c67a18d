"""What the system does to sagas: start, dispatch, cancel. Every resume is one verb, ``dispatch``.

What people do to them is in ``verbs``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError

from sagas import endings, executor, journal, registry, tasks
from sagas.models import DATABASE, Parked, Saga
from sagas.participant import crash

log = structlog.get_logger(__name__)

#: Why a saga is undone on its shopper's word.
CANCELLED = "cancelled"

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
    amount: int = 0,
    currency: str = "",
    follows: UUID | None = None,
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
        amount: what is at stake, in minor units of ``currency``, for staff to sort by.
        currency: ISO 4217.
        follows: the saga whose outcome it changes, such as the checkout that it cancels.

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
        amount=amount,
        currency=currency,
        follows=follows,
        lease_until=journal.in_seconds(settings.SAGA_QUEUE_LEASE),
        deadline_at=journal.in_seconds(definition.deadline),
    )
    try:
        with crash.committing("sagas.start", using=DATABASE):
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


def dispatch(
    saga_id: UUID, *, only_if_due: bool = False, only_if_waiting: bool = False
) -> Dispatch:
    """Send what is left of a saga to its workers, fencing off whoever was dispatched before.

    First it decides the way: a saga past its deadline before the pivot turns back, one
    whose last attempts were all lost gives up as if they had failed, and one whose
    definition the running code does not know is parked.

    Args:
        saga_id: which saga.
        only_if_due: leave it alone while its lease or its back-off still runs.
        only_if_waiting: leave it alone unless it waits for its next attempt, which then comes at
            once: what it waits for may have happened. A worker that is on it is not disturbed.
    """
    with crash.committing("sagas.dispatch", using=DATABASE):
        saga = journal.lock(saga_id)
        if saga is None or not _may_move(saga, only_if_due=only_if_due):
            return Dispatch.LEFT_ALONE
        if only_if_waiting and (saga.claimed_at or not saga.next_attempt_at):
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

    return change(saga_id, turn_back)


def change(saga_id: UUID, decide: Callable[[Saga], bool]) -> Saga:
    """Let ``decide`` change the locked row; dispatch it afterwards if that returns True."""
    with crash.committing("sagas.change", using=DATABASE):
        saga = journal.sagas_now().select_for_update().get(pk=saga_id)
        wants_dispatch = decide(saga)
    if wants_dispatch:
        dispatch(saga_id)
    return journal.read(saga_id)


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
