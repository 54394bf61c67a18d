"""System checks of who hears of what: each has an id and says the mend."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from sagas.events import broker, registry
from sagas.events.inbox import Consumer


@register
def check_events(**_: Any) -> Sequence[CheckMessage]:
    """Check every consumer that settings.EVENT_CONSUMERS names, and the queue of events."""
    faults = [fault for kind in registry.types() for fault in check_type(kind)]
    if broker.QUEUE not in settings.CELERY_QUEUES:
        faults.append(
            Error(
                f"events are sent to the queue {broker.QUEUE!r}, which nobody routes.",
                hint="Add it to settings.CELERY_QUEUES and let a worker consume it.",
                id="events.E002",
            )
        )
    return faults


def check_type(kind: str) -> Iterator[CheckMessage]:
    """Check the consumers of one type of event."""
    for path in registry.consumers_of(kind):
        try:
            found = registry.consumer(path)
        except ImportError as error:
            yield _unusable(kind, path, f"cannot be imported: {error}")
            continue
        if not isinstance(found, Consumer):
            yield _unusable(kind, path, "is not a consumer")


def _unusable(kind: str, path: str, why: str) -> Error:
    return Error(
        f"settings.EVENT_CONSUMERS[{kind!r}] names {path!r}, which {why}.",
        hint="Give the dotted path of a function decorated with sagas.events.inbox.consumer.",
        id="events.E001",
    )
