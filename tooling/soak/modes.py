"""What kind of soak it is: how many shoppers, which faults, how much patience."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tooling.demo.main import SHORT_TIMES
from tooling.soak.link import State, Trouble
from tooling.soak.orders import SLOW_TOKENS, TOKENS, Fate, Taste
from tooling.soak.plan import DATABASE_LINKS, MAIL, PROVIDER, Planned, deal

#: So many checkouts are accepted between two faults, on the average.
GAP = 18.0
#: A brief soak has room for so many faults: one of each kind, and a few that come before the end.
BRIEF_FAULTS = 24
PATIENCE = 600.0
#: More of them under way than workers do in a queue's lease would have recovery send them again.
_AT_ONCE = 60


@dataclass(frozen=True, kw_only=True)
class Mode:
    """One kind of soak.

    Args:
        taste: what shoppers order.
        checkouts: after how many accepted ones nobody orders any more, or None.
        seconds: after how long nobody orders any more, or None.
        faults: deals the plan anew; no plan if nothing is to be broken.
        troubles: what all links are like all the time.
        sizes: pool sizes of workers that are not the usual ones.
        settings: variables that are not the default; figures are taken with the defaults.
        may_give_up: whether healthy checkouts may be given up.
        patience: seconds that the system has for coming to rest.
        at_once: checkouts under way above which shoppers hold back.
    """

    taste: Taste
    checkouts: int | None
    seconds: float | None
    faults: Callable[[], Iterator[Planned]] = lambda: iter(())
    troubles: Mapping[str, State] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    may_give_up: bool = True
    patience: float = PATIENCE
    at_once: int = _AT_ONCE


def chaos(seed: int, *, checkouts: int | None, minutes: float | None, gap: float) -> Mode:
    """Everything breaks, again and again."""
    return Mode(
        taste=Taste(seed),
        checkouts=checkouts,
        seconds=None if minutes is None else 60 * minutes,
        faults=lambda: deal(seed, gap=gap),
    )


def brief(seed: int, *, checkouts: int) -> Mode:
    """One fault of each kind, short times, and no payment method that takes minutes to settle."""
    quick = [token for token in TOKENS if token.fate is not Fate.GHOST]
    return Mode(
        taste=Taste(seed, tokens=quick),
        checkouts=checkouts,
        seconds=None,
        faults=lambda: deal(seed, gap=checkouts / BRIEF_FAULTS, each_once=True),
        settings=SHORT_TIMES,
    )


def slow_but_healthy(seed: int, *, checkouts: int) -> Mode:
    """Nothing breaks and everything is slow: each checkout has to complete."""
    slow = {link: State(trouble=Trouble.DELAY, amount=0.012) for link in DATABASE_LINKS}
    slow |= {link: State(trouble=Trouble.DELAY, amount=0.2) for link in (PROVIDER, MAIL)}
    return Mode(
        taste=Taste(seed, tokens=SLOW_TOKENS, plain=True),
        checkouts=checkouts,
        seconds=None,
        troubles=slow,
        # Slow answers take up no processor; more of them at once make the pace of a busy shop.
        sizes={"domain": 6, "outside": 16},
        may_give_up=False,
        at_once=200,
    )
