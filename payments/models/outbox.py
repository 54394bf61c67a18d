"""What payments tells the other domains."""

from payments.models.payment import DATABASE
from sagas.events.models import AbstractOutboxEvent


class OutboxEvent(AbstractOutboxEvent):
    database = DATABASE

    class Meta(AbstractOutboxEvent.Meta):
        abstract = False
