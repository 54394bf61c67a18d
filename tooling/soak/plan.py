"""Which fault comes when: dealt from one seed, so that a run can be looked at before and again."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import count, takewhile

from tooling.local.instance import DATABASES
from tooling.local.stack import WORKERS

#: Names of the links, and of the databases among them: the settings' own aliases.
DATABASE_LINKS = tuple(name.removeprefix("makegood_") for name in DATABASES.values())
BROKER, PROVIDER, MAIL = "broker", "provider", "mail"
LINKS = (*DATABASE_LINKS, BROKER, PROVIDER, MAIL)

WEB, BEAT = "web", "beat"
#: Worker programs by how much there is to break in the middle of.
_BUSY = ("domain", "domain", "outside", "outside", "outside", "compensation", "recovery")


class Kind(StrEnum):
    """What is done to whom."""

    KILL_CHILD = "kill -9 of one pool child"
    KILL_PROGRAM = "kill -9 of a whole program"
    KILL_BROKER = "kill -9 of the broker, restarted"
    KILL_POSTGRES = "kill -9 of PostgreSQL, restarted"
    RESTART_PROGRAM = "orderly restart of a program"
    RESTART_BROKER = "orderly restart of the broker"
    EMPTY_BROKER = "broker restarted without its data"
    FREEZE_CHILD = "pool child frozen beyond its lease"
    FREEZE_PROGRAM = "program frozen, and back"
    REFUSE = "link refused"
    CUT = "link cut once"
    SILENCE = "link silent"
    ONE_WAY = "link lets requests through and no answers"
    DELAY = "link slow"
    THROTTLE = "link throttled"
    DUPLICATE = "messages duplicated"
    DROP = "messages dropped"
    REORDER = "messages held up and reordered"
    SKEW = "clock of a program skewed"
    SECOND_BEAT = "two beats"


#: What the figures count.
KILLS = (Kind.KILL_CHILD, Kind.KILL_PROGRAM, Kind.KILL_BROKER, Kind.KILL_POSTGRES)
BROKER_RESTARTS = (Kind.KILL_BROKER, Kind.RESTART_BROKER, Kind.EMPTY_BROKER)
_OUTAGES = (Kind.REFUSE, Kind.SILENCE, Kind.ONE_WAY, Kind.CUT)


@dataclass(frozen=True)
class Span:
    """From, to: a number is drawn from between."""

    low: float
    high: float

    def draw(self, rng: random.Random) -> float:
        """Return a number from the span, to the hundredth."""
        return round(rng.uniform(self.low, self.high), 2)


@dataclass(frozen=True, kw_only=True)
class Card:
    """One kind of fault in the deck: how often a round, on whom, for how long, how much."""

    kind: Kind
    a_round: int
    targets: Sequence[str]
    seconds: Span = Span(0, 0)
    amount: Span = Span(0, 0)


#: One round. Its counts are exact in every round, its order and its targets are drawn.
DECK = (
    Card(kind=Kind.KILL_CHILD, a_round=14, targets=_BUSY),
    Card(
        kind=Kind.KILL_PROGRAM,
        a_round=12,
        targets=(*_BUSY, *_BUSY, WEB, WEB, BEAT, PROVIDER, MAIL),
    ),
    Card(kind=Kind.KILL_BROKER, a_round=1, targets=(BROKER,), seconds=Span(0, 2)),
    Card(kind=Kind.KILL_POSTGRES, a_round=1, targets=("postgres",), seconds=Span(0, 2)),
    Card(kind=Kind.RESTART_PROGRAM, a_round=2, targets=(*WORKERS, WEB, BEAT, PROVIDER, MAIL)),
    Card(kind=Kind.RESTART_BROKER, a_round=1, targets=(BROKER,), seconds=Span(0, 3)),
    Card(kind=Kind.EMPTY_BROKER, a_round=1, targets=(BROKER,), seconds=Span(0, 3)),
    Card(
        kind=Kind.FREEZE_CHILD,
        a_round=2,
        targets=("domain", "outside", "outside", "compensation"),
        seconds=Span(14, 32),
    ),
    Card(
        kind=Kind.FREEZE_PROGRAM,
        a_round=2,
        targets=(*WORKERS, "outside", WEB, BEAT, PROVIDER, MAIL),
        seconds=Span(4, 28),
    ),
    Card(kind=Kind.REFUSE, a_round=4, targets=DATABASE_LINKS, seconds=Span(2, 7)),
    Card(kind=Kind.SILENCE, a_round=2, targets=DATABASE_LINKS, seconds=Span(2, 6)),
    Card(kind=Kind.ONE_WAY, a_round=1, targets=DATABASE_LINKS, seconds=Span(2, 5)),
    Card(kind=Kind.CUT, a_round=2, targets=LINKS),
    Card(kind=Kind.REFUSE, a_round=2, targets=(PROVIDER, MAIL, BROKER), seconds=Span(2, 8)),
    Card(kind=Kind.SILENCE, a_round=1, targets=(PROVIDER, MAIL, BROKER), seconds=Span(3, 9)),
    Card(kind=Kind.ONE_WAY, a_round=2, targets=(PROVIDER, MAIL, BROKER), seconds=Span(3, 9)),
    Card(kind=Kind.DELAY, a_round=1, targets=LINKS, seconds=Span(4, 10), amount=Span(0.02, 0.2)),
    Card(
        kind=Kind.THROTTLE,
        a_round=1,
        targets=LINKS,
        seconds=Span(4, 8),
        amount=Span(4_000, 40_000),
    ),
    Card(kind=Kind.DUPLICATE, a_round=1, targets=(BROKER,), seconds=Span(2, 4)),
    Card(kind=Kind.DROP, a_round=1, targets=(BROKER,), seconds=Span(1, 3)),
    Card(kind=Kind.REORDER, a_round=1, targets=(BROKER,), seconds=Span(2, 4)),
    Card(
        kind=Kind.SKEW,
        a_round=1,
        targets=(*WORKERS, WEB),
        seconds=Span(8, 25),
        amount=Span(-240, 240),
    ),
    Card(kind=Kind.SECOND_BEAT, a_round=1, targets=(BEAT,), seconds=Span(8, 20)),
)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A fault of the plan: due once so many checkouts were accepted."""

    number: int
    after: int
    kind: Kind
    target: str
    seconds: float
    amount: float

    @property
    def is_database_outage(self) -> bool:
        """Whether it takes a database away for a while."""
        return self.kind is Kind.KILL_POSTGRES or (
            self.kind in _OUTAGES and self.target in DATABASE_LINKS
        )

    def __str__(self) -> str:
        words = f"#{self.number:<4} after {self.after:>5} accepted  {self.kind}: {self.target}"
        if self.seconds:
            words += f", {self.seconds:g} s"
        return words + (f", {self.amount:g}" if self.amount else "")


def deal(seed: int, *, gap: float, each_once: bool = False) -> Iterator[Planned]:
    """Deal faults for ever: round after round of the deck, each shuffled anew.

    Args:
        seed: equal seeds deal equal plans.
        gap: checkouts that are accepted between two faults, on the average.
        each_once: one fault of every kind instead of a whole round.
    """
    rng = random.Random(seed)
    after = gap
    numbers = count(1)
    while True:
        for card in _round(rng, each_once=each_once):
            yield Planned(
                number=next(numbers),
                after=round(after),
                kind=card.kind,
                target=rng.choice(card.targets),
                seconds=card.seconds.draw(rng),
                amount=card.amount.draw(rng),
            )
            after += rng.uniform(0.2, 1.8) * gap


def faults_for(
    seed: int, *, checkouts: int, gap: float, each_once: bool = False
) -> Sequence[Planned]:
    """Return the faults that are due while ``checkouts`` are accepted."""
    dealt = deal(seed, gap=gap, each_once=each_once)
    return list(takewhile(lambda fault: fault.after < checkouts, dealt))


def _round(rng: random.Random, *, each_once: bool) -> Sequence[Card]:
    if each_once:
        cards = list({card.kind: card for card in DECK}.values())
    else:
        cards = [card for card in DECK for _ in range(card.a_round)]
    rng.shuffle(cards)
    return cards
