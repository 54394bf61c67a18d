"""What happened, in plain values: ids, codes, SKUs and amounts, and never personal data."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid6 import uuid7

#: Ids, codes, SKUs, order numbers, currencies: no spaces and no "@", as names and mails have.
_PLAIN = re.compile(r"[A-Za-z0-9._:-]{0,64}")


class NotPlain(ValueError):
    """A payload holds something that is not an id, a code or an amount."""


def new_event_id() -> UUID:
    """Return a UUIDv7 (RFC 9562): unique, and in order of time, which keeps indexes dense."""
    return UUID(int=uuid7().int)


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something that happened in a domain.

    Args:
        type: what, as noun and past participle: ``order_confirmed``.
        aggregate: to what, as kind and id: ``order:<id>``, ``product:<sku>``.
        payload: ids, codes, SKUs and amounts in minor units.
        saga_id: in the course of which saga, if any.
    """

    type: str
    aggregate: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    saga_id: UUID | None = None

    def __post_init__(self) -> None:
        """Refuse what may be personal data: whoever subscribes gets it, and logs keep it."""
        _refuse_unless_plain(self.payload, self.type)


@dataclass(frozen=True, kw_only=True)
class Event(Fact):
    """A fact that was committed, as it travels to its consumers.

    ``sequence`` rises with the commits of one aggregate. ``happened_at`` is by the clock of the
    database that committed it.
    """

    id: UUID
    sequence: int
    happened_at: datetime

    def as_json(self) -> dict[str, Any]:
        """Return what a message carries."""
        return asdict(self) | {
            "id": str(self.id),
            "saga_id": str(self.saga_id) if self.saga_id else None,
            "happened_at": self.happened_at.isoformat(),
        }

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> "Event":
        """Return the event that a message carries; members of newer code are left out."""
        saga_id = members["saga_id"]
        return cls(
            id=UUID(members["id"]),
            type=members["type"],
            aggregate=members["aggregate"],
            saga_id=UUID(saga_id) if saga_id else None,
            payload=members["payload"],
            sequence=members["sequence"],
            happened_at=datetime.fromisoformat(members["happened_at"]),
        )


def _refuse_unless_plain(value: Any, where: str) -> None:
    match value:
        case None | bool() | int():
            return
        case str() if _PLAIN.fullmatch(value):
            return
        case Mapping():
            for name, member in value.items():
                _refuse_unless_plain(member, f"{where}.{name}")
        case Sequence() if not isinstance(value, str | bytes):
            for member in value:
                _refuse_unless_plain(member, where)
        case _:
            # Without the value, which may be what must not be told.
            raise NotPlain(f"{where} is no id, code or amount; leave it out of the event")
