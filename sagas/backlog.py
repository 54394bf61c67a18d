"""Tells a message that waits in a long queue from one that is lost, by what the broker holds.

A queue hands its messages out in the order in which they came. So if it holds n of them, they are
those of the n sagas that were sent to it last: these wait on, in their places. Whoever was sent
before them and is with no worker has lost its message, and recovery sends it again.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from celery import current_app
from django.conf import settings

from sagas import journal, registry, tasks
from sagas.definitions import SagaDefinition
from sagas.journal import Place
from sagas.models import COMPENSATED, COMPENSATING
from sagas.participant import crash

log = structlog.get_logger(__name__)

#: Seconds to connect to the broker.
_CONNECT = 2


def leave_queued() -> int:
    """Let the sagas wait on whose messages are still in their queues; return how many.

    Where the broker cannot be asked nobody does, and all are sent again as soon as it is back:
    that costs messages which do nothing, as the newest dispatch is the one that counts.
    """
    overdue = journal.places_overdue()
    if not overdue:
        return 0
    wanted = {queue: places for queue, places in _places().items() if overdue & places.keys()}
    return sum(
        _leave(places, held=held)
        for places, held in zip(wanted.values(), _held([*wanted]), strict=True)
        if held
    )


def messages_in(connection: Any, queue: str) -> int:
    """Return how many messages wait in a queue; one that is not there yet holds none.

    Raises:
        tasks.BROKER_ERRORS: the broker does not answer.
    """
    # A refusal closes the channel on RabbitMQ, so each queue has a channel of its own.
    with connection.channel() as channel:
        try:
            waiting: int = channel.queue_declare(queue=queue, passive=True).message_count
        except connection.channel_errors:
            return 0
    return waiting


def _leave(places: Mapping[Place, bool], *, held: int) -> int:
    since = journal.sent_since(places, newest=held)
    batch: int = settings.SAGA_RECOVERY_BATCH
    left = 0
    # In batches, so that a worker that takes a message meanwhile hardly ever meets a locked row.
    while count := journal.leave_queued(places, since=since, limit=batch):
        left += count
    return left


def _held(queues: Sequence[str]) -> Sequence[int]:
    """Return how many messages each queue holds; 0 where the broker cannot be asked."""
    try:
        with (
            crash.calling("sagas.look_at_queues"),
            current_app.connection_for_write(connect_timeout=_CONNECT) as connection,
        ):
            connection.ensure_connection(max_retries=1, timeout=_CONNECT)
            return [messages_in(connection, queue) for queue in queues]
    except tasks.BROKER_ERRORS as error:
        log.warning("queues_not_looked_at", error=type(error).__name__)
        return [0] * len(queues)


def _places() -> Mapping[str, Mapping[Place, bool]]:
    """Return, by queue, where sagas wait for one of its workers, and whether before the pivot."""
    places: dict[str, dict[Place, bool]] = defaultdict(dict)
    for definition in registry.definitions():
        for state in (*definition.states, COMPENSATING, COMPENSATED):
            if queue := _queue_of(definition, state):
                forward = state in definition.states
                place = Place(definition.kind, definition.version, state)
                places[queue][place] = forward and definition.is_before_pivot(state)
    return places


def _queue_of(definition: SagaDefinition, state: str) -> str:
    """Return the queue on which a saga in ``state`` is sent to a worker; empty at rest."""
    if state == COMPENSATING:
        return tasks.COMPENSATION_QUEUE
    if state == COMPENSATED:
        return definition.after_compensated.queue if definition.after_compensated else ""
    steps = definition.steps_after(state)
    return steps[0].queue if steps else ""
