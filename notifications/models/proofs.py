"""What was done once, what is told and what was heard: the rows that keep effects single."""

from typing import Final

from sagas.events.models import AbstractInboxEntry, AbstractOutboxEvent
from sagas.participant.models import AbstractReceipt

#: The alias of the database that this domain owns.
DATABASE: Final = "notifications"


class Receipt(AbstractReceipt):
    class Meta(AbstractReceipt.Meta):
        abstract = False


class OutboxEvent(AbstractOutboxEvent):
    database = DATABASE

    class Meta(AbstractOutboxEvent.Meta):
        abstract = False


class InboxEntry(AbstractInboxEntry):
    database = DATABASE

    class Meta(AbstractInboxEntry.Meta):
        abstract = False
