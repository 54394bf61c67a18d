"""How long events are kept, and how many wait: for the schedule and for the console."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Min, QuerySet
from django.db.models.functions import Now

from sagas.events import registry
from sagas.events.models import AbstractInboxEntry, Handling
from sagas.participant import crash

#: An inbox remembers twice as long as an outbox: an event that is sent once more is known.
_INBOX_KEEPS = 2
#: Rows that one DELETE takes at the most: it must not hold the table's writers up.
_AT_ONCE = 5_000
#: Rows that are counted at the most.
_MOST_COUNTED = 10_000


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What waits in one domain; counts stop at 10,000. ``oldest`` is when the first happened."""

    domain: str
    has_inbox: bool
    waiting: int
    oldest: datetime | None
    retrying: int
    dead: int

    @property
    def outbox_page(self) -> str:
        """The admin's list of what the domain told."""
        return f"admin:{self.domain}_outboxevent_changelist"

    @property
    def inbox_page(self) -> str:
        """The admin's list of what it heard."""
        return f"admin:{self.domain}_inboxentry_changelist"


def purge(*, older_than: timedelta) -> int:
    """Delete events that all consumers have, and entries that are done; the dead are kept.

    Args:
        older_than: since they happened; entries of inboxes are kept for twice as long.

    Returns:
        How many rows were deleted.
    """
    purged = 0
    for outbox in registry.outboxes():
        rows = outbox._base_manager.using(outbox.database).filter(received_at__isnull=False)
        purged += _delete(rows.filter(happened_at__lte=Now() - older_than))
    for inbox in registry.inboxes():
        entries = inbox._base_manager.using(inbox.database).filter(status=Handling.DONE)
        purged += _delete(entries.filter(received_at__lte=Now() - older_than * _INBOX_KEEPS))
    return purged


def backlogs() -> Sequence[Backlog]:
    """Return what waits in each domain that has an outbox."""
    inboxes = {inbox._meta.app_label: inbox for inbox in registry.inboxes()}
    found = []
    for outbox in registry.outboxes():
        domain = outbox._meta.app_label
        waiting = outbox._base_manager.using(outbox.database).filter(relayed_at=None)
        inbox = inboxes.get(domain)
        found.append(
            Backlog(
                domain=domain,
                waiting=_count(waiting),
                oldest=waiting.aggregate(oldest=Min("happened_at"))["oldest"],
                retrying=_count_of(inbox, Handling.WAITING),
                dead=_count_of(inbox, Handling.DEAD),
                has_inbox=inbox is not None,
            )
        )
    return found


def _count_of(inbox: type[AbstractInboxEntry] | None, status: Handling) -> int:
    if inbox is None:
        return 0
    return _count(inbox._base_manager.using(inbox.database).filter(status=status))


def _count(rows: QuerySet[Any]) -> int:
    return rows.order_by().values("pk")[:_MOST_COUNTED].count()


def _delete(old: QuerySet[Any]) -> int:
    rows, deleted = old.model._base_manager.using(old.db), 0
    while keys := list(old.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE]):
        with crash.committing("sagas.events.purge", using=old.db):
            deleted += rows.filter(pk__in=keys).delete()[0]
    return deleted
