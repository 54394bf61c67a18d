"""How events reach the broker: some in one message to a consumer, and hints to the relay."""

import math
import time
from collections.abc import Sequence
from typing import Any

import structlog
from celery import current_app
from kombu.exceptions import KombuError, OperationalError

from sagas.events.facts import Event
from sagas.participant import crash

log = structlog.get_logger(__name__)

QUEUE = "events"
#: The tasks of ``sagas.events.tasks``, called by name, as they stand above.
RELAY, CONSUME, TICK = "events.relay", "events.consume", "events.tick"
#: What publishing may raise while the broker is away or going away.
BROKER_ERRORS = (OperationalError, KombuError, ConnectionError, TimeoutError)

#: Seconds from one look at an outbox to the next: what is told meanwhile is relayed together.
SLOT = 0.5
#: Seconds without hints after the broker was found to be away: the tick is enough then.
_QUIET = 5.0
#: Seconds after which a hint has been overtaken by the tick.
_HINT_EXPIRES = 5.0

_no_hint_before: dict[str, float] = {}


def send(events: Sequence[Event], consumer: str) -> None:
    """Hand ``events`` for one consumer over to the broker; returns once the broker has them.

    Raises:
        BROKER_ERRORS: the broker is away.
    """
    arguments: dict[str, Any] = {
        "events": [event.as_json() for event in events],
        "consumer": consumer,
    }
    with crash.calling("sagas.events.publish"):
        current_app.send_task(CONSUME, kwargs=arguments, queue=QUEUE)


def ask_for_a_tick() -> None:
    """Ask for the next tick now; without a broker it comes by the schedule."""
    try:
        with crash.calling("sagas.events.ask_for_a_tick"):
            current_app.send_task(TICK, queue=QUEUE)
    except BROKER_ERRORS as error:
        log.warning("tick_not_asked_for", error=type(error).__name__)


def hint(outbox: str) -> None:
    """Ask for ``outbox`` to be relayed when this slot ends; the tick does it later anyway.

    Slots are those of the wall clock, so that all processes ask for the same look; one hint of
    each is enough, since the look comes after all that is committed until then.

    Args:
        outbox: the model's label, such as ``orders.OutboxEvent``.
    """
    now = time.monotonic()
    if now < _no_hint_before.get(outbox, -math.inf):
        return
    told_at = time.time()
    due = (math.floor(told_at / SLOT) + 1) * SLOT
    _no_hint_before[outbox] = now + due - told_at
    try:
        with crash.calling("sagas.events.hint"):
            current_app.send_task(
                RELAY,
                kwargs={"outbox": outbox, "due": due},
                queue=QUEUE,
                expires=_HINT_EXPIRES,
            )
    except BROKER_ERRORS as error:
        _no_hint_before[outbox] = now + _QUIET
        log.warning("relay_not_asked_for", outbox=outbox, error=type(error).__name__)
