"""Tell what happened: one INSERT in the transaction of the change itself."""

from typing import Any

from django.db import connections, transaction
from psycopg.types.json import Jsonb

from sagas.events import broker, registry
from sagas.events.facts import Fact, new_event_id
from sagas.events.models import AbstractOutboxEvent

#: SQL, as it runs in every step; the ORM takes several times as long to build it.
_INSERT = "INSERT INTO {table} (event_id, type, aggregate, saga_id, payload) VALUES {rows}"
_ROW = "(%s, %s, %s, %s, %s)"


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
    insert = _INSERT.format(table=outbox._meta.db_table, rows=", ".join([_ROW] * len(facts)))
    values: list[Any] = []
    for fact in facts:
        values += [new_event_id(), fact.type, fact.aggregate, fact.saga_id]
        values.append(Jsonb(dict(fact.payload)))
    with connections[outbox.database].cursor() as cursor:
        cursor.execute(insert, values)
    label = outbox._meta.label
    transaction.on_commit(lambda: broker.hint(label), using=outbox.database)
