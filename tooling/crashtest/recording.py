"""Finds out which scenario passes which points, in which program, and where programs meet."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sagas.participant.crash import Moment
from sagas.participant.crash_plan import Pass
from tooling.crashtest.scenario import Road


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A point that a program passes in a scenario.

    Args:
        point: its name.
        program: who passes it.
        scenario: in which.
        road: the scenario's.
        passes: how often for one checkout.
        lasting: whether it is passed because clocks go on, and how often is mere chance.
    """

    point: str
    program: str
    scenario: str
    road: Road
    passes: float
    lasting: bool = False

    @property
    def surety(self) -> tuple[bool, float]:
        """Return what makes a place better than others to wait for a pass: the larger, the more."""
        return not self.lasting, self.passes


#: The main road of a point comes first.
_ROADS = {road: number for number, road in enumerate(Road)}

#: The scenario that asks for ticks of recovery, as many as there are checkouts.
QUEUE_IS_LONG = "queue is long"
#: What every tick passes is tried there: elsewhere it is chance how many ticks come.
_OF_A_TICK = ("sagas.end_orphaned_leases", "sagas.look_at_queues", "sagas.leave_queued")

#: What one process passes, and what another one passes next on the same saga.
Meeting = tuple[Seen, Moment, Seen, Moment]


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Every pass of every program while a scenario was played for ``count`` checkouts."""

    scenario: str
    road: Road
    count: int
    passes: Mapping[str, Sequence[Pass]]
    lasting: bool = False

    def seen(self) -> list[Seen]:
        """Return each point that was passed, by program."""
        return [
            Seen(
                point=point,
                program=program,
                scenario=self.scenario,
                road=self.road,
                passes=times / self.count,
                lasting=self.lasting,
            )
            for program, passes in self.passes.items()
            for point, times in Counter(
                each.point for each in passes if each.moment is Moment.BEFORE
            ).items()
        ]

    def in_order(self) -> list[tuple[str, Pass]]:
        """Return every pass with its program, the first one first."""
        all_passes = [(program, each) for program, some in self.passes.items() for each in some]
        return sorted(all_passes, key=lambda one: one[1].at)


def chosen(recordings: Iterable[Recording]) -> list[Seen]:
    """Return where each point is tried: the scenario that passes it most surely, by program.

    The engine's own points are the same code for every step, so they are tried forward and back;
    a point of a domain is one step of one road. Other roads only pass these again on their way,
    and count where they alone pass a point. Events know no road: where they are surest to be told
    is as good as any.
    """
    best: dict[tuple[str, str, Road], Seen] = {}
    for seen in (each for recording in recordings for each in recording.seen()):
        if seen.point in _OF_A_TICK and seen.scenario != QUEUE_IS_LONG:
            continue
        key = (seen.point, seen.program, seen.road)
        if key not in best or seen.surety > best[key].surety:
            best[key] = seen
    roads: dict[tuple[str, str], list[Seen]] = {}
    for (point, program, _), seen in sorted(best.items(), key=lambda one: _ROADS[one[0][2]]):
        roads.setdefault((point, program), []).append(seen)
    return [
        seen
        for (point, _), places in sorted(roads.items())
        for seen in _worth_trying(point, places)
    ]


def _worth_trying(point: str, places: Sequence[Seen]) -> Sequence[Seen]:
    if point.startswith("sagas.events."):
        return [max(places, key=lambda seen: seen.surety)]
    if not point.startswith("sagas."):
        return places[:1]
    both = [seen for seen in places if seen.road in (Road.FORWARD, Road.COMPENSATION)]
    return both or places[:1]


def meetings(recordings: Iterable[Recording]) -> list[Meeting]:
    """Return where two processes meet: passes in a row, on one saga, by two processes.

    Rule: in a recording with a single saga, whatever is passed next to something that another
    process has just passed. There the second one reads what the first one wrote, or would have.
    """
    found: dict[tuple[str, Moment, str, Moment], Meeting] = {}
    for recording in recordings:
        if recording.count != 1:
            continue
        seen = {(each.program, each.point): each for each in recording.seen()}
        row = recording.in_order()
        for (program, one), (next_program, other) in pairwise(row):
            if one.pid == other.pid:
                continue
            first, second = seen[program, one.point], seen[next_program, other.point]
            key = (one.point, one.moment, other.point, other.moment)
            found.setdefault(key, (first, one.moment, second, other.moment))
    return list(found.values())


def unpassed(points: Iterable[str], seen: Iterable[Seen]) -> list[str]:
    """Return the points that no scenario passes."""
    passed = {each.point for each in seen}
    return [point for point in points if point not in passed]
