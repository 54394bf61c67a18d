"""Tell what happened: one INSERT in the transaction of the change itself."""

from django.db import transaction

from sagas.events import broker, registry
from sagas.events.facts import Fact
from sagas.events.models import AbstractOutboxEvent


class NotInTransaction(Exception):
    """An event was to be told outside the transaction of the change that it tells of."""


class UnknownType(Exception):
    """An event's type is missing in settings.EVENT_CONSUMERS."""


def tell(outbox: type[AbstractOutboxEvent], *facts: Fact) -> None:
    """Write ``facts`` beside the change, and have them relayed once it is committed.

    One statement, however many facts. Tell of an aggregate while its row is locked: then the
    events of one aggregate are relayed in the order in which they were committed.

    Args:
        outbox: the domain's outbox model.
        facts: in the order in which they happened; none is fine.

    Raises:
        NotInTransaction: no transaction is open on the domain's database.
        UnknownType: settings.EVENT_CONSUMERS does not list the type.
    """
    if not facts:
        return
    if not transaction.get_connection(outbox.database).in_atomic_block:
        raise NotInTransaction(f"tell of {facts[0].type} in the transaction of the change")
    for fact in facts:
        if not registry.is_known(fact.type):
            raise UnknownType(f"add {fact.type!r} to settings.EVENT_CONSUMERS")
    outbox._base_manager.using(outbox.database).bulk_create(
        outbox(
            type=fact.type,
            aggregate=fact.aggregate,
            saga_id=fact.saga_id,
            payload=dict(fact.payload),
        )
        for fact in facts
    )
    label = outbox._meta.label
    transaction.on_commit(lambda: broker.hint(label), using=outbox.database)
