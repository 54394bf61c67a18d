"""The thin Celery tasks of events: relay, consume, and the tick that sees to what was left."""

import math
import time
from datetime import timedelta
from typing import Any

import structlog
from celery import Task, shared_task, signals
from django.apps import apps

from sagas.events import broker, inbox, keeping, registry, relay
from sagas.events.facts import Event
from sagas.events.models import AbstractOutboxEvent

log = structlog.get_logger(__name__)

#: Seconds after which a task leaves the rest to the next one.
_SLICE = 4.0
#: Failed events that one tick tries again at the most, of each domain.
_RETRIES = 100
#: outbox -> when this process last began to look at it, in seconds since the epoch.
_looked_at: dict[str, float] = {}


@shared_task(name=broker.RELAY)
def relay_outbox(*, outbox: str, due: float = math.inf, **_: Any) -> None:
    """Relay what waits in one outbox.

    Args:
        outbox: the model's label.
        due: when to look, in seconds since the epoch. What the sender left unsaid was committed
            by then, so that one look does for all hints of a slot. Should the clocks of two
            machines disagree, the tick relays it.
    """
    if due <= _looked_at.get(outbox, 0.0):
        return
    time.sleep(min(max(0.0, due - time.time()), broker.SLOT))
    _looked_at[outbox] = time.time()
    model = apps.get_model(outbox)
    if issubclass(model, AbstractOutboxEvent):
        _drain(model, until=time.monotonic() + _SLICE)


@shared_task(name=broker.CONSUME, bind=True)
def consume(
    self: "Task[Any, Any]", /, *, events: list[dict[str, Any]], consumer: str, **_: Any
) -> None:
    """Let one consumer handle some events."""
    is_again = bool((self.request.delivery_info or {}).get("redelivered"))
    inbox.receive([Event.from_json(each) for each in events], consumer, is_again=is_again)


@shared_task(name=broker.TICK)
def tick(**_: Any) -> None:
    """Relay what no hint was heard of, resend what was lost, try again what failed."""
    until = time.monotonic() + _SLICE
    for outbox in registry.outboxes():
        _drain(outbox, until=until)
        while relay.resend_lost(outbox, send=broker.send) and time.monotonic() < until:
            pass
    for box in registry.inboxes():
        inbox.retry_due(box, limit=_RETRIES)


@shared_task(name="events.purge")
def purge(*, older_than_days: int = 30, **_: Any) -> None:
    """Forget events that all consumers received ``older_than_days`` days ago or earlier."""
    purged = keeping.purge(older_than=timedelta(days=older_than_days))
    log.info("events_purged", count=purged, older_than_days=older_than_days)


def _drain(outbox: type[AbstractOutboxEvent], *, until: float) -> None:
    """Relay as long as batches are full: what comes meanwhile comes with a hint of its own."""
    while relay.relay(outbox, send=broker.send) == relay.BATCH and time.monotonic() < until:
        pass


@signals.worker_ready.connect
def _tick_when_a_worker_starts(**_: Any) -> None:
    """What a crash left behind is not to wait for the next tick."""
    broker.ask_for_a_tick()
