"""A case: who dies where, how and how often, while which scenario is played."""

import math
import random
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sagas.participant.crash import Moment
from sagas.participant.crash_plan import How
from tooling.crashtest.recording import Meeting, Seen
from tooling.crashtest.scenario import Road
from tooling.local.stack import WORKERS

#: Passes that are waited for beside those at which a process dies: not every saga dies once.
_SPARE = 1.3
_MORE = 2
#: Orders of one case at the most: one that is wrong must still be understood.
MOST = 16


@dataclass(frozen=True, kw_only=True)
class Order:
    """One armed moment: in this program, so many processes end in these ways.

    ``passes`` is how often one checkout passes it at the least, if everything goes well.
    """

    program: str
    point: str
    moment: Moment
    times: Mapping[How, int] = field(hash=False)
    passes: float = 1.0

    @property
    def total(self) -> int:
        """How many processes end."""
        return sum(self.times.values())

    def __str__(self) -> str:
        how = "+".join(f"{how}*{times}" for how, times in self.times.items())
        often = f":{self.passes:g}" if self.passes != 1 else ""
        return f"{self.program}:{self.point}.{self.moment}:{how}{often}"

    @classmethod
    def read(cls, text: str) -> "Order":
        """Return what ``str`` wrote; ValueError if it did not."""
        program, where, how, *passes = text.split(":")
        point, _, moment = where.rpartition(".")
        times = {How(h): int(n) for h, n in (each.split("*") for each in how.split("+"))}
        often = float(passes[0]) if passes else 1.0
        return cls(program=program, point=point, moment=Moment(moment), times=times, passes=often)

    def numbers(self, *, count: int, seed: int) -> Mapping[How, Sequence[int]]:
        """Return at which passes processes end: drawn, the same ones for one seed.

        A single checkout meets them one after the other.

        Args:
            count: how many checkouts pass.
            seed: of the draw.
        """
        drawn = list(range(1, self.total + 1))
        if count > 1:
            last = max(self.total, int(count * self.passes / _SPARE))
            drawn = random.Random(f"{seed} {self}").sample(range(1, last + 1), self.total)
        numbers = {}
        for how, times in self.times.items():
            numbers[how], drawn = sorted(drawn[:times]), drawn[times:]
        return numbers


@dataclass(frozen=True, kw_only=True)
class Case:
    """Orders that are armed at one time, and the scenario that meets them.

    Args:
        orders: at moments that one scenario passes, or at two where processes meet at one saga.
        scenario: its name.
        road: the scenario's.
        count: for how many checkouts the scenario is played.
        seed: of the passes at which processes end.
    """

    orders: tuple[Order, ...]
    scenario: str
    road: Road
    count: int
    seed: int

    @property
    def is_pair(self) -> bool:
        """Whether its processes meet at one saga."""
        return self.count == 1

    def __str__(self) -> str:
        return f"{' & '.join(map(str, self.orders))} [{self.scenario}]"

    @property
    def replay(self) -> str:
        """Return the command that runs this case alone."""
        words = ["--scenario", self.scenario, "--count", str(self.count), "--seed", str(self.seed)]
        for order in self.orders:
            words += ["--order", str(order)]
        return f"make crash-test ARGS={shlex.quote(shlex.join(words))}"


def single_cases(seen: Iterable[Seen], *, times: Mapping[How, int], seed: int) -> list[Case]:
    """Return the cases in which each process ends at a point without another's help.

    The deaths of a point are shared among its two moments, the programs that pass it and the
    roads on which they do.

    Args:
        seen: what the recording found.
        times: how many processes are to end at each point, by the way.
        seed: see ``Case``.
    """
    by_point: dict[str, list[Seen]] = {}
    for each in seen:
        by_point.setdefault(each.point, []).append(each)
    return [
        _case(place, moment, some, seed)
        for point, places in by_point.items()
        for (place, moment), shared in _shared(point, places, times, seed)
        for some in _apart(shared)
    ]


def _shared(
    point: str, places: Sequence[Seen], times: Mapping[How, int], seed: int
) -> Iterable[tuple[tuple[Seen, Moment], Mapping[How, int]]]:
    """Share a point's deaths among its places and moments; a child dies once at each of them.

    Who gets the odd ones is drawn, for each way apart.
    """
    slots = [(place, moment) for place in places for moment in Moment]
    shares: dict[How, list[int]] = {}
    for how, total in times.items():
        least = int(how is How.EXIT and total > 0)
        shares[how] = [
            max(least, total // len(slots) + (number < total % len(slots)))
            for number in range(len(slots))
        ]
        random.Random(f"{seed} {point} {how}").shuffle(shares[how])
    for number, slot in enumerate(slots):
        yield slot, {how: shares[how][number] for how in times}


def _apart(times: Mapping[How, int]) -> list[Mapping[How, int]]:
    """Split off the ends of whole workers: they would end the frozen processes with them."""
    kills: Mapping[How, int] = {how: n for how, n in times.items() if n and how is How.KILL}
    others: Mapping[How, int] = {how: n for how, n in times.items() if n and how is not How.KILL}
    return [some for some in (others, kills) if some]


def packed(cases: Iterable[Case]) -> list[Case]:
    """Put orders together that the same scenario meets, as many as a case may have.

    Each of its checkouts then survives several deaths, one after the other.
    """
    alike: dict[tuple[str, bool], list[Case]] = {}
    for case in cases:
        kills = How.KILL in case.orders[0].times
        alike.setdefault((case.scenario, kills), []).append(case)
    together = []
    for some in alike.values():
        number = math.ceil(len(some) / MOST)
        # Every number-th: neighbours are of one domain, and die better beside others.
        together += [_together(some[first::number]) for first in range(number)]
    return together


def _together(cases: Sequence[Case]) -> Case:
    orders = tuple(order for case in cases for order in case.orders)
    return replace(cases[0], orders=orders, count=max(case.count for case in cases))


def _case(place: Seen, moment: Moment, times: Mapping[How, int], seed: int) -> Case:
    passes = max(1.0, place.passes)
    order = Order(
        program=place.program, point=place.point, moment=moment, times=times, passes=passes
    )
    return Case(
        orders=(order,),
        scenario=place.scenario,
        road=place.road,
        count=math.ceil(order.total * _SPARE / passes) + _MORE,
        seed=seed,
    )


def takeover_cases(seen: Iterable[Seen], *, seed: int) -> list[Case]:
    """Return the cases in which a process is frozen, and the one that takes over dies as well."""
    times = {How.FREEZE: 1, How.EXIT: 1}
    return [
        replace(_case(place, moment, times, seed), count=1)
        for place in seen
        for moment in Moment
        if place.program in WORKERS and place.road in (Road.FORWARD, Road.COMPENSATION)
    ]


def meeting_cases(meetings: Iterable[Meeting], *, seed: int) -> list[Case]:
    """Return the cases in which both of two processes that meet at one saga end there."""
    cases = []
    for n, (one, moment, other, next_moment) in enumerate(meetings):
        first = How.FREEZE if n % 2 else How.EXIT
        case = _case(one, moment, {first: 1}, seed)
        second = Order(
            program=other.program, point=other.point, moment=next_moment, times={How.EXIT: 1}
        )
        cases.append(replace(case, count=1, orders=(*case.orders, second)))
    return cases
