"""Faults that operators stage on a staging site, so that they can watch a saga make good.

Only ``executor`` asks, before it runs a part, and only where ``settings.STAGING_CHAOS`` is on.
A disturbed attempt goes wrong by one of the engine's own roads for errors, so that nothing
else has to know that it was staged.
"""

import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NoReturn
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Now

from sagas.definitions import Part, StepContext
from sagas.models import DATABASE, Direction, Disturbance, DisturbedAttempt, Fault, Saga
from sagas.participant import crash

log = structlog.get_logger(__name__)

#: Whoever enforces no time limit sees a hang end by itself after this many times the limit,
#: before the pool would kill the process.
_LONGEST_HANG = 2


class ChaosIsOff(Exception):
    """Faults are staged only where settings.STAGING_CHAOS allows it."""

    code = "chaos-is-off"


class StagedFault(Exception):
    """What a disturbed attempt raises; history shows its code and its words."""

    code = "staged-fault"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to go wrong.

    Args:
        kind: which sagas.
        step: whose attempts.
        direction: DO, or UNDO for the step's compensation.
        fault: how they go wrong.
        attempts: how many of each saga.
        saga_id: this saga; None for the first ``most_sagas`` that start from now on.
        most_sagas: how many sagas at the most.
        principal: only sagas of this principal, such as "user:42"; empty for anybody's.
        minutes: after which what has not happened yet never will.
    """

    kind: str
    step: str
    direction: Direction
    fault: Fault
    attempts: int = 1
    saga_id: UUID | None = None
    most_sagas: int = 1
    principal: str = ""
    minutes: int = 15


def plan(
    wanted: Plan, *, operator: AbstractBaseUser, reason: str, address: str | None = None
) -> Disturbance:
    """Stage a fault.

    Raises:
        ChaosIsOff: this system does not allow it.
    """
    if not settings.STAGING_CHAOS:
        raise ChaosIsOff("set STAGING_CHAOS=true, on a staging site, to stage faults")
    row = Disturbance(
        kind=wanted.kind,
        step=wanted.step,
        direction=wanted.direction,
        fault=wanted.fault,
        attempts=wanted.attempts,
        saga_id=wanted.saga_id,
        most_sagas=wanted.most_sagas,
        principal=wanted.principal,
        ends_at=Now() + Value(timedelta(minutes=wanted.minutes)),
        operator_id=operator.pk,
        reason=reason,
        address=address,
    )
    with crash.statement("sagas.plan_disturbance", using=DATABASE):
        row.save(using=DATABASE)
    return row


def stop(disturbance_id: int, *, operator: AbstractBaseUser) -> bool:
    """Let nothing more of it happen; False if it was over already."""
    wanted = active().filter(pk=disturbance_id)
    with crash.statement("sagas.stop_disturbance", using=DATABASE):
        stopped = wanted.update(stopped_at=Now(), stopped_by_id=operator.pk)
    return bool(stopped)


def active() -> QuerySet[Disturbance]:
    """Return the disturbances that may still hit an attempt, the newest first."""
    return Disturbance.objects.using(DATABASE).filter(
        stopped_at=None, ends_at__gt=Now(), hits__lt=F("most_sagas") * F("attempts")
    )


def staged(part: Part, saga: Saga) -> Part:
    """Return ``part`` as it is, or so that it goes wrong if this attempt is to be disturbed.

    Args:
        part: what the attempt would run.
        saga: as claimed for this attempt.
    """
    chosen = Q(saga=saga) | Q(saga=None, planned_at__lte=saga.created_at)
    theirs = Q(principal="") | Q(principal=saga.principal)
    due = active().filter(
        chosen, theirs, kind=saga.kind, step=saga.due_step, direction=saga.due_direction
    )
    for disturbance in due.order_by("id"):
        if _claim(disturbance, saga):
            log.warning("attempt_disturbed", saga_id=str(saga.pk), disturbance=disturbance.pk)
            return _disturbed(part, disturbance)
    return part


def _claim(disturbance: Disturbance, saga: Saga) -> bool:
    """Count one hit, in one transaction with its entry in the log; False if none is left.

    The plan's row is locked, so that two workers never count the last one both.
    """
    earlier = DisturbedAttempt.objects.using(DATABASE).filter(disturbance=disturbance, saga=saga)
    with crash.committing("sagas.disturb", using=DATABASE):
        left = active().select_for_update().filter(pk=disturbance.pk).first()
        number = earlier.count() + 1
        if left is None or number > left.attempts:
            return False
        is_first = number == 1
        if is_first and left.sagas_hit == left.most_sagas:
            return False
        Disturbance.objects.using(DATABASE).filter(pk=left.pk).update(
            hits=F("hits") + 1, sagas_hit=F("sagas_hit") + int(is_first)
        )
        DisturbedAttempt.objects.using(DATABASE).create(
            disturbance=left, saga=saga, number=number, attempt=saga.attempts, epoch=saga.epoch
        )
    return True


def _disturbed(part: Part, disturbance: Disturbance) -> Part:
    """Return ``part`` going wrong, and the road that the error takes."""
    error = StagedFault(f"staged fault {disturbance.pk}: {disturbance}")

    def fault(_: StepContext) -> NoReturn:
        raise error

    def lost_reply(context: StepContext) -> NoReturn:
        part.act(context)
        raise error

    def hang(_: StepContext) -> NoReturn:
        # The worker's soft time limit is a signal whose handler raises: it ends the sleep.
        time.sleep(_LONGEST_HANG * part.time_limit)
        raise error

    match disturbance.fault:
        case Fault.REFUSED:
            return replace(part, act=fault, refusals=(*part.refusals, StagedFault))
        case Fault.IN_DOUBT:
            return replace(part, act=lost_reply, in_doubt=(*part.in_doubt, StagedFault))
        case Fault.HANGS:
            return replace(part, act=hang, transient=(*part.transient, StagedFault))
    return replace(part, act=fault, transient=(*part.transient, StagedFault))
