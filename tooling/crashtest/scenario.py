"""What a scenario is: something that people or clocks do to the shop, and how it must end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tooling.crashtest.people import Operator, Placed, Shopper
from tooling.crashtest.receiver import Receiver
from tooling.crashtest.shop import Shop


class Road(StrEnum):
    """What a scenario's sagas, or people, are about."""

    FORWARD = "forward"
    COMPENSATION = "compensation"
    RECOVERY = "recovery"
    STAFF = "staff"
    UPKEEP = "upkeep"


@dataclass(frozen=True, kw_only=True)
class Must:
    """How a checkout must end.

    Args:
        state: the saga's.
        kept: whether the shop keeps the money; else all of it, if there was any, went back.
        order: the order's status; empty when there may be none.
        mails: kinds of the mails that arrived.
        given_back: minor units of it that went back all the same.
        by_hand: the money went back outside of the provider, whose ledger does not know.
    """

    state: str
    kept: bool
    order: str
    mails: frozenset[str]
    given_back: int = 0
    by_hand: bool = False


COMPLETED = Must(state="COMPLETE", kept=True, order="CONFIRMED", mails=frozenset({"confirmation"}))
UNDONE = Must(state="COMPENSATED", kept=False, order="CANCELLED", mails=frozenset({"apology"}))
TAKEN_BACK = Must(
    state="COMPENSATED",
    kept=False,
    order="CANCELLED",
    mails=frozenset({"confirmation", "apology"}),
)


@dataclass(frozen=True)
class Stage:
    """Where a scenario plays, and who is there."""

    shop: Shop
    shopper: Shopper
    operator: Operator
    second: Operator
    receiver: Receiver


class Play(Protocol):
    """Does something to ``count`` checkouts, or as often, and returns those it placed."""

    def __call__(self, stage: Stage, count: int) -> Sequence[Placed]: ...


def _nothing(stage: Stage, placed: Sequence[Placed]) -> None:
    pass


def _well(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    return []


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Something that passes crash points.

    Args:
        name: as the report and ``--only`` have it.
        road: what it is about.
        play: does it.
        must: how its checkouts may end; one of these.
        nudge: what clocks do while it comes to rest: asked for again and again.
        settle: what clocks do once nobody dies any more.
        also: says what is wrong beside the checkouts; empty once it is well.
        resent: whether staff have the mail sent once more, and again when they are cut off.
        lasting: whether the nudges go on passing its points, so that one play is enough.
    """

    name: str
    road: Road
    play: Play
    must: tuple[Must, ...] = (COMPLETED,)
    nudge: Callable[[Stage, Sequence[Placed]], None] = _nothing
    settle: Callable[[Stage, Sequence[Placed]], None] = _nothing
    also: Callable[[Stage, Sequence[Placed]], list[str]] = _well
    resent: bool = False
    lasting: bool = False
