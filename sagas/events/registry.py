"""Who hears of what: settings.EVENT_CONSUMERS, and the tables of all domains."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.apps import apps
from django.conf import settings
from django.utils.module_loading import import_string

from sagas.events.models import AbstractInboxEntry, AbstractOutboxEvent

if TYPE_CHECKING:
    from sagas.events.inbox import Consumer


def is_known(event_type: str) -> bool:
    """Tell whether settings.EVENT_CONSUMERS lists the type."""
    return event_type in settings.EVENT_CONSUMERS


def types() -> Sequence[str]:
    """Return every type of event."""
    return list(settings.EVENT_CONSUMERS)


def consumers_of(event_type: str) -> Sequence[str]:
    """Return the dotted paths of the type's consumers; none for a type that is not listed."""
    return list(settings.EVENT_CONSUMERS.get(event_type, ()))


def consumer(path: str) -> "Consumer":
    """Return the consumer at a dotted path.

    Raises:
        ImportError: the running code does not have it.
    """
    found: Consumer = import_string(path)
    return found


def outboxes() -> Sequence[type[AbstractOutboxEvent]]:
    """Return the outbox models of all domains."""
    return [model for model in apps.get_models() if issubclass(model, AbstractOutboxEvent)]


def inboxes() -> Sequence[type[AbstractInboxEntry]]:
    """Return the inbox models of all domains."""
    return [model for model in apps.get_models() if issubclass(model, AbstractInboxEntry)]
