"""The thin Celery tasks, and the chains that are made of them: one message for each link."""

from collections.abc import Sequence
from typing import Any, NoReturn
from uuid import UUID

import structlog
from celery import Task, chain, current_app, shared_task, signals
from celery.canvas import Signature
from celery.exceptions import Ignore
from django.conf import settings
from kombu.exceptions import KombuError
from kombu.exceptions import OperationalError as BrokerUnreachable

from sagas import cutoff, executor
from sagas.definitions import Limits, Step
from sagas.endings import Ending, Verdict
from sagas.models import Direction, Saga
from sagas.participant import crash

log = structlog.get_logger(__name__)

COMPENSATION_QUEUE = "compensation"
RECOVERY_QUEUE = "recovery"
#: The task of ``sagas.recovery`` that dispatches one saga; called by name, as it stands above.
WAKE = "sagas.wake"

#: A wedged child that nothing cuts off is ended after this many times its steps' limits.
_HARD_LIMIT_FACTOR = 3
#: What publishing may raise while the broker is away or going away.
BROKER_ERRORS = (BrokerUnreachable, KombuError, ConnectionError, TimeoutError)


@shared_task(name="sagas.do_step", bind=True)
def do_step(
    self: "Task[Any, Any]",
    /,
    *,
    saga_id: str,
    step: str,
    epoch: int,
    then: Sequence[str] = (),
    **_: Any,
) -> None:
    """Run a forward step, then those that join it, each only if the one before was saved.

    So does the chain with its next link.
    """
    for name in (step, *then):
        _run(self, saga_id, name, epoch, Direction.DO)


@shared_task(name="sagas.undo_step", bind=True)
def undo_step(self: "Task[Any, Any]", /, *, saga_id: str, step: str, epoch: int, **_: Any) -> None:
    """Run one compensation; the chain goes on with the next one."""
    _run(self, saga_id, step, epoch, Direction.UNDO)


@shared_task(name="sagas.follow_up", bind=True)
def follow_up(self: "Task[Any, Any]", /, *, saga_id: str, step: str, epoch: int, **_: Any) -> None:
    """Tell what is owed after a compensation."""
    _run(self, saga_id, step, epoch, Direction.FOLLOW_UP)


def publish(saga: Saga) -> bool:
    """Send the chain of what is left of ``saga``, outside any transaction.

    Returns:
        False when the broker did not take it; the saga's row makes sure that recovery tries again.
    """
    try:
        with crash.calling("sagas.publish"):
            chain_of(saga).apply_async()
    except BROKER_ERRORS as error:
        log.error("chain_not_published", saga_id=str(saga.pk), error=type(error).__name__)
        return False
    return True


def chain_of(saga: Saga) -> Signature:
    """Build the forward or the backward chain: each link on the queue of its first step.

    Whoever was held up, since its worker died or its message was lost, has waited already: its
    first link goes before all others of its queue (docs/adr/0018-held-up-first.md).
    """
    match saga.due_direction:
        case Direction.DO:
            links = [_forward(saga, *steps) for steps in saga.definition.links_after(saga.state)]
        case Direction.UNDO:
            links = [
                _link(undo_step, saga, step.name, COMPENSATION_QUEUE, [step.limits])
                for step in saga.undos_left
            ]
        case _:
            told = saga.definition.after_compensated
            links = [_link(follow_up, saga, told.name, told.queue, [told.limits])] if told else []
    if saga.recoveries and links:
        links[0].set(priority=settings.BROKER_FIRST)
    return chain(*links)


def wake_later(saga_id: UUID, *, wait: float) -> None:
    """Ask for a dispatch in ``wait`` seconds: the fast path of what the row already says."""
    if wait > settings.LONGEST_COUNTDOWN:
        return
    try:
        with crash.calling("sagas.wake"):
            current_app.send_task(
                WAKE,
                kwargs={"saga_id": str(saga_id)},
                queue=RECOVERY_QUEUE,
                countdown=wait or None,
            )
    except BROKER_ERRORS as error:
        log.warning("wake_not_published", saga_id=str(saga_id), error=type(error).__name__)


@signals.task_postrun.connect
def _acknowledge(**_: Any) -> None:
    """Pass the last point of a message: Celery has sent the chain's next one, and acknowledges."""
    with crash.calling("sagas.acknowledge"):
        pass


def _forward(saga: Saga, first: Step, *joined: Step) -> Signature:
    limits = [step.limits for step in (first, *joined)]
    then = {"then": [step.name for step in joined]} if joined else {}
    return _link(do_step, saga, first.name, first.queue, limits, **then)


def _link(
    task: "Task[Any, Any]",
    saga: Saga,
    step: str,
    queue: str,
    limits: Sequence[Limits],
    **more: Sequence[str],
) -> Signature:
    arguments = {"saga_id": str(saga.pk), "step": step, "epoch": saga.epoch, **more}
    longest = sum(each.seconds for each in limits)
    options: dict[str, Any] = {"queue": queue, "time_limit": longest * _HARD_LIMIT_FACTOR}
    return task.si(**arguments).set(**options)


def _run(task: "Task[Any, Any]", saga_id: str, step: str, epoch: int, direction: Direction) -> None:
    attempt = executor.Attempt(
        saga_id=UUID(saga_id),
        step=step,
        direction=direction,
        epoch=epoch,
        worker=task.request.hostname or "",
        limited_to=cutoff.may_take,
        timeouts=(cutoff.CutOff,),
    )
    ending = executor.run(attempt)
    if ending.verdict is not Verdict.GO_ON:
        _end_chain(UUID(saga_id), ending)


def _end_chain(saga_id: UUID, ending: Ending) -> NoReturn:
    if ending.verdict is Verdict.WAKE:
        wake_later(saga_id, wait=ending.wait)
    # Ignore acknowledges the message and keeps Celery from sending the chain's next link.
    raise Ignore
