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
#: Orders of one case at the most: children are back at once, workers take a core for seconds.
_MOST = {False: 4, True: 2}


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
        return f"{self.program}:{self.point}.{self.moment}:{how}"

    @classmethod
    def read(cls, text: str) -> "Order":
        """Return what ``str`` wrote; ValueError if it did not."""
        program, where, how = text.split(":")
        point, _, moment = where.rpartition(".")
        times = {How(h): int(n) for h, n in (each.split("*") for each in how.split("+"))}
        return cls(program=program, point=point, moment=Moment(moment), times=times)

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
        orders: on programs that die apart from each other, or on two that meet at one saga.
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

    A point that several programs or roads pass has its crashes shared among them. Programs that
    die apart from each other do so in one case, on the same checkouts.

    Args:
        seen: what the recording found.
        times: how many processes are to end at each moment of each point, by the way.
        seed: see ``Case``.
    """
    by_point: dict[str, list[Seen]] = {}
    for each in seen:
        by_point.setdefault(each.point, []).append(each)
    alone = [
        _case(place, moment, some, seed)
        for places in by_point.values()
        for moment in Moment
        for number, place in enumerate(places)
        for some in _apart({how: _share(n, number, len(places)) for how, n in times.items()})
    ]
    return _packed(alone)


def _share(times: int, number: int, places: int) -> int:
    """Return how many of ``times`` the place with this number gets."""
    return times // places + (number < times % places)


def _apart(times: Mapping[How, int]) -> list[Mapping[How, int]]:
    """Split off the ends of whole workers: they would end the frozen processes with them."""
    kills: Mapping[How, int] = {how: n for how, n in times.items() if n and how is How.KILL}
    others: Mapping[How, int] = {how: n for how, n in times.items() if n and how is not How.KILL}
    return [some for some in (others, kills) if some]


def _packed(cases: Iterable[Case]) -> list[Case]:
    """Put orders of different programs together where the same scenario meets them."""
    packed: list[Case] = []
    for case in cases:
        (order,) = case.orders
        kills = How.KILL in order.times
        for number, other in enumerate(packed):
            fits = other.scenario == case.scenario and len(other.orders) < _MOST[kills]
            apart = all(each.program != order.program for each in other.orders)
            if fits and apart and kills is (How.KILL in other.orders[0].times):
                packed[number] = _together(other, case)
                break
        else:
            packed.append(case)
    return packed


def _together(one: Case, other: Case) -> Case:
    return replace(one, orders=(*one.orders, *other.orders), count=max(one.count, other.count))


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
