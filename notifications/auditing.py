"""What the audit reads of mails: kinds and statuses, no address and no text."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from notifications.models import DATABASE, TOUCHED_AT, Message, Receipt
from sagas.participant.among import SAGA_KEY, Among, SagaKey, touched


class AuditedMail(NamedTuple):
    """One mail of a saga."""

    saga_id: SagaKey
    kind: str
    status: str


def audited_mails(*, among: Among) -> list[AuditedMail]:
    """Return the mails of these sagas; Crowded if they are too many for one range."""
    rows = Message.objects.using(DATABASE).order_by()
    read = rows.values_list(SAGA_KEY, "kind", "status")
    return [AuditedMail(*row) for row in among.rows(read)]


def lone_receipts(*, among: Among) -> list[SagaKey]:
    """Return those of these sagas that have receipts here and no mail."""
    beside = Message.objects.using(DATABASE)
    return among.lone(Receipt.objects.using(DATABASE), beside=beside)


def touched_mails(*, since: datetime, before: datetime) -> Iterator[Sequence[UUID]]:
    """Yield the sagas whose mails were written in that span of this database's time."""
    mails = Message.objects.using(DATABASE)
    return touched(mails, when=TOUCHED_AT, since=since, before=before)
