"""Tells a message that waits in a long queue from one that is lost.

A queue hands its messages out in the order in which they came. So a message is lost, or with a
worker, if one that was sent later has come through; or if the queue holds n messages, and n sagas
were sent later. Recovery sends the saga again then; all others wait on, in their places.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from celery import current_app
from django.conf import settings

from sagas import journal, registry, tasks
from sagas.definitions import SagaDefinition
from sagas.journal import Place
from sagas.models import COMPENSATED, COMPENSATING, Direction
from sagas.participant import crash

log = structlog.get_logger(__name__)

#: Seconds to connect to the broker.
_CONNECT = 2
#: Several workers take messages at one time, and need not come through in the same order.
_NEARLY_AT_ONCE = timedelta(seconds=2)


@dataclass
class Line:
    """One queue: where sagas wait in it, and what its messages run.

    Args:
        places: where sagas stand whose next message is in it, and whether before their pivot.
        parts: steps with their direction. Not those that join a message of another queue.
    """

    places: dict[Place, bool] = field(default_factory=dict)
    parts: set[tuple[str, Direction]] = field(default_factory=set)


def leave_queued() -> int:
    """Let the sagas wait on whose messages are still in their queues; return how many.

    Where the broker cannot be asked nobody does, and all are sent again as soon as it is back:
    that costs messages which do nothing, as the newest dispatch is the one that counts.
    """
    overdue = journal.places_overdue()
    if not overdue:
        return 0
    wanted = {name: line for name, line in _lines().items() if overdue & line.places.keys()}
    return sum(
        _leave(line, held=held)
        for line, held in zip(wanted.values(), _held([*wanted]), strict=True)
        if held
    )


def errors_of(connection: Any) -> tuple[type[Exception], ...]:
    """Return what asking a broker may raise; of one that hangs, the client library's own errors."""
    return (*tasks.BROKER_ERRORS, *connection.connection_errors)


def messages_in(connection: Any, queue: str) -> int:
    """Return how many messages wait in a queue; one that is not there yet holds none.

    Raises:
        errors_of(connection): the broker does not answer.
    """
    # A refusal closes the channel on RabbitMQ, so each queue has a channel of its own.
    with connection.channel() as channel:
        try:
            waiting: int = channel.queue_declare(queue=queue, passive=True).message_count
        except connection.channel_errors:
            return 0
    return waiting


def _leave(line: Line, *, held: int) -> int:
    since = _since(line, held=held)
    batch: int = settings.SAGA_RECOVERY_BATCH
    left = 0
    # In batches, so that a worker that takes a message meanwhile hardly ever meets a locked row.
    while count := journal.leave_queued(line.places, since=since, limit=batch):
        left += count
    return left


def _since(line: Line, *, held: int) -> datetime | None:
    """Return since when messages were sent that may still be in the queue; None if all may.

    The count alone would not do: a queue also holds copies of messages that are overtaken.
    """
    came_through = journal.came_through(line.parts)
    known = [
        journal.sent_since(line.places, newest=held),
        came_through and came_through - _NEARLY_AT_ONCE,
    ]
    return max((moment for moment in known if moment), default=None)


def _held(queues: Sequence[str]) -> Sequence[int]:
    """Return how many messages each queue holds; 0 where the broker cannot be asked."""
    with current_app.connection_for_write(connect_timeout=_CONNECT) as connection:
        try:
            with crash.calling("sagas.look_at_queues"):
                connection.ensure_connection(max_retries=1, timeout=_CONNECT)
                return [messages_in(connection, queue) for queue in queues]
        except errors_of(connection) as error:
            log.warning("queues_not_looked_at", error=type(error).__name__)
            return [0] * len(queues)


def _lines() -> Mapping[str, Line]:
    """Return the line of each queue on which some saga is sent to a worker."""
    lines: dict[str, Line] = defaultdict(Line)
    for definition in registry.definitions():
        for state in (*definition.states, COMPENSATING, COMPENSATED):
            if queue := _queue_of(definition, state):
                forward = state in definition.states
                place = Place(definition.kind, definition.version, state)
                lines[queue].places[place] = forward and definition.is_before_pivot(state)
        for queue, step, direction in _parts_of(definition):
            lines[queue].parts.add((step, direction))
    return lines


def _queue_of(definition: SagaDefinition, state: str) -> str:
    """Return the queue on which a saga in ``state`` is sent to a worker; empty at rest."""
    if state == COMPENSATING:
        return tasks.COMPENSATION_QUEUE
    if state == COMPENSATED:
        return definition.after_compensated.queue if definition.after_compensated else ""
    steps = definition.steps_after(state)
    return steps[0].queue if steps else ""


def _parts_of(definition: SagaDefinition) -> Iterator[tuple[str, str, Direction]]:
    for step in definition.steps:
        yield tasks.COMPENSATION_QUEUE, step.name, Direction.UNDO
        if not step.joins:
            yield step.queue, step.name, Direction.DO
    if told := definition.after_compensated:
        yield told.queue, told.name, Direction.FOLLOW_UP
