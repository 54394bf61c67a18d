"""Tells people of events that found no ear: ids, types and codes only.

settings.LOGGING sends CRITICAL events of ``sagas.events.alerts`` to ALERT_EMAILS as well.
"""

import structlog

from sagas.events.models import AbstractInboxEntry

log = structlog.get_logger(__name__)


def failed(entry: AbstractInboxEntry) -> None:
    """A consumer could not handle an event; it is tried again."""
    log.warning("event_not_handled", **_which(entry))


def given_up(entry: AbstractInboxEntry) -> None:
    """A consumer could not handle an event in all its attempts; a person may replay it."""
    log.critical("event_given_up", **_which(entry))


def _which(entry: AbstractInboxEntry) -> dict[str, str | int]:
    return {
        "event_id": str(entry.event_id),
        "type": entry.type,
        "consumer": entry.consumer,
        "attempts": entry.attempts,
        "error": entry.last_error,
    }
