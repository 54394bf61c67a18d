"""What is audited, and by whom: the port between the audit and the domains.

The engine knows what a saga's row claims. Whether that is true only the domains can say, so
each definition names an ``Auditor`` that compares the claims with what they hold. No text in
here has personal data: findings are stored, mailed and printed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import NamedTuple, Protocol
from uuid import UUID

from sagas.participant.among import Among, SagaKey

#: Sagas, each with what is suspect about it outside; empty for whatever it has there.
Suspects = Sequence[tuple[UUID, str]]


class Severity(StrEnum):
    """Whether something must never be, or is known and waits for a person."""

    VIOLATION = "violation"
    WAITS = "waits"


class Mend(StrEnum):
    """What mends a finding; all but the last two are verbs of the saga's page."""

    RETRY = "retry"
    COMPENSATE = "compensate"
    ASK = "ask"
    RESUME = "resume"
    STOCK = "correct the stock"
    BY_HAND = "by hand"

    @property
    def is_verb(self) -> bool:
        """Whether it is a verb with a dry run of its own."""
        return self not in (Mend.STOCK, Mend.BY_HAND)


class Stands(Enum):
    """Whether the effect of a step must stand in its domain, by what its saga's row says."""

    MUST = "must"
    MAY = "may"  # it may just happen, or just be undone
    NEVER = "never"


class Claim(NamedTuple):
    """What a saga's row says; amounts in minor units.

    ``steps`` has each step of the definition; it is empty if the running code does not know it.
    Of the sagas that follow this one: ``given_back_least`` and ``given_back_most`` bound what they
    give back of its charge, ``is_followed`` tells that one of them is not at rest.
    """

    saga_id: SagaKey
    kind: str
    state: str
    reached: str
    revision: int
    amount: int
    currency: str
    parked: str
    is_due: bool
    steps: Mapping[str, Stands]
    given_back_least: int = 0
    given_back_most: int = 0
    is_followed: bool = False

    def must(self, step: str) -> bool:
        """Whether the effect of ``step`` must stand."""
        return self.steps.get(step) is Stands.MUST

    def never(self, step: str) -> bool:
        """Whether the effect of ``step`` must not stand."""
        return self.steps.get(step) is Stands.NEVER


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is not as it must be.

    Args:
        saga_id: whose; None if it belongs to no saga.
        invariant: which rule it breaks, as a stable kebab-case code.
        what: what is wrong, in words without personal data.
        sources: whom it was read from; while one of them is silent, it is not taken for mended.
        amount: the money at stake, in minor units of ``currency``.
        mend: what mends it.
        subject: which one, where a saga can break the rule more than once.
        page: where to look if ``mend`` is no verb; the saga's page by default.
    """

    saga_id: UUID | None
    invariant: str
    what: str
    sources: tuple[str, ...]
    amount: int = 0
    currency: str = ""
    severity: Severity = Severity.VIOLATION
    mend: Mend = Mend.BY_HAND
    subject: str = ""
    page: str = ""


@dataclass(kw_only=True)
class Seen:
    """What a look brought.

    ``faults``, the sources that were ``silent``, how many ``charges`` of outside ledgers were read
    and how many ``payments`` of ours were held against them, and until when (``reached``) charges
    and payments agree but for the faults; None if nothing was read.
    """

    faults: list[Fault] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    charges: int = 0
    payments: int = 0
    reached: datetime | None = None


class Auditor(Protocol):
    """Compares what sagas of one kind claim with what their domains hold.

    A source that does not answer is named in ``Seen.silent``, never raised.
    """

    #: Those that keep a clock of their own, for "what was written since".
    sources: Sequence[str]
    #: Those outside, which keep books of their own.
    ledgers: Sequence[str]

    def look(self, claims: Mapping[SagaKey, Claim], among: Among) -> Seen:
        """Read the domains' rows among these sagas and compare them with the claims.

        Args:
            claims: of every saga among them, of whatever kind, read before this call.
            among: whose rows to read; a row whose saga is not in ``claims`` is an orphan.

        Raises:
            Crowded: the range is to be halved.
        """

    def look_outside(self, claims: Mapping[SagaKey, Claim], suspects: Suspects) -> Seen:
        """Ask the outside world about each of these alone, as it is now."""

    def totals(self) -> Seen:
        """Check what spans sagas, each rule on one snapshot."""

    def clock(self, source: str) -> datetime:
        """Return the time of one of ``sources``; a database error if it does not answer."""

    def touched(
        self, source: str, *, since: datetime, before: datetime
    ) -> Iterator[Sequence[UUID]]:
        """Yield the sagas whose rows one of ``sources`` has written in that span of its time."""

    def outside(
        self, *, since: datetime | None, before: datetime | None = None, seen: Seen
    ) -> Iterator[Suspects]:
        """Page through the outside ledgers, oldest first; yield whom they tell another story of.

        Args:
            since: from when on, None for all there is.
            before: until when, None for now.
            seen: gets the faults that belong to no saga, the counts, whoever is silent, and how
                far the look came: past a span once its suspects were asked about and answered for.
        """

    def look_at_strangers(self, subjects: Sequence[str], seen: Seen) -> None:
        """Look again at what an outside ledger had, and nobody here."""
