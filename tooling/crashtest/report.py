"""The report: a table of the points, and what to run to see it again."""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sagas.participant.crash import Moment
from sagas.participant.crash_plan import How
from tooling.crashtest.running import Report
from tooling.crashtest.scenario import Road
from tooling.local.origin import machine

#: The roads that have a column; the others share one.
_ROADS = (Road.FORWARD, Road.COMPENSATION, Road.RECOVERY)
_OTHER = "other"


@dataclass
class Row:
    """What one point survived: deaths by moment, by way and by road; ``short`` are not among them.

    ``deaths`` are processes that ended: children and whole workers. Frozen ones come on top.
    """

    moments: Counter[Moment] = field(default_factory=Counter)
    ways: Counter[How] = field(default_factory=Counter)
    roads: Counter[str] = field(default_factory=Counter)
    programs: set[str] = field(default_factory=set)
    slowest: float = 0.0
    wrong: int = 0
    short: int = 0

    @property
    def deaths(self) -> int:
        """How many processes ended here, after which everything came right."""
        return self.ways[How.EXIT] + self.ways[How.KILL]


def write(file: Path, done: Sequence[Report], given: argparse.Namespace, *, seconds: float) -> None:
    """Write the table to ``file``, and every case to a .json beside it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_page(done, given, seconds))
    file.with_suffix(".json").write_text(
        json.dumps([_as_json(report) for report in done], indent=1) + "\n"
    )


def rows(done: Sequence[Report]) -> dict[str, Row]:
    """Return what each point survived without another's help: pairs do not count."""
    found: dict[str, Row] = {}
    for report in done:
        road = report.case.road
        for order in () if report.case.is_pair else report.case.orders:
            row = found.setdefault(order.point, Row())
            row.programs.add(order.program)
            row.slowest = max(row.slowest, report.to_rest)
            row.wrong += bool(report.faults)
            row.short += order in report.missing
            survived = report.survived(order)
            row.ways += survived
            row.moments[order.moment] += survived.total()
            row.roads[road if road in _ROADS else _OTHER] += survived.total()
    return dict(sorted(found.items()))


def too_few(done: Sequence[Report], *, times: int) -> Mapping[str, int]:
    """Return the points that survived fewer deaths than ``times``, and how many they did."""
    return {point: row.deaths for point, row in rows(done).items() if row.deaths < times}


def _page(done: Sequence[Report], given: argparse.Namespace, seconds: float) -> str:
    pairs = [report for report in done if report.case.is_pair]
    wrong = [report for report in done if report.faults]
    short = [report for report in done if report.missing]
    lines = [
        "# Crash points",
        "",
        f"`{_command(given)}` at {_commits(done)}, on {machine()}, {seconds / 60:.0f} minutes.",
        "",
        _reached(done, given),
        "",
        f"- {sum(r.ended.total() for r in done)} processes ended or frozen; "
        f"{sum(r.checkouts for r in done)} checkouts.",
        f"- Cases in which two processes end on one saga: {len(pairs)}.",
        f"- Wrong: {len(wrong)} of {len(done)} cases. Short of deaths: {len(short)}; what was "
        "short is tried anew, and does not count.",
        "",
        "A child is a process of a pool, or of the web server, that ends by `os._exit`; a worker",
        "is its whole process group, by SIGKILL; frozen is SIGSTOP until others have taken over.",
        "Deaths are children and workers; the columns of moments and roads have the frozen too.",
        "The last column has the longest time from a case's last death until all was well, in s.",
        "",
        "| point | in | before | after | child | worker | frozen "
        "| forward | compensation | recovery | other | deaths | to rest | |",
        f"|---|---|{'---|' * 12}",
    ]
    lines += [_line(point, row) for point, row in rows(done).items()]
    for report in (*wrong, *(each for each in short if not each.faults)):
        lines += ["", f"{report.verdict.capitalize()}: {report.case}", ""]
        lines += [f"- {fault}" for fault in report.faults]
        lines += [f"- {few} too few at {order}" for order, few in report.missing.items()]
        lines.append(f"- again: `{report.case.replay}`")
    return "\n".join(lines) + "\n"


def _reached(done: Sequence[Report], given: argparse.Namespace) -> str:
    """Say whether every point has what was asked for, and name those that have not."""
    few, all_points = too_few(done, times=given.times), len(rows(done))
    if not few:
        return f"**Every one of {all_points} points survived {given.times} deaths or more.**"
    names = ", ".join(f"`{point}` ({deaths})" for point, deaths in few.items())
    return (
        f"**{len(few)} of {all_points} points did not reach {given.times} survived deaths:** "
        f"{names}."
    )


def _commits(done: Sequence[Report]) -> str:
    """Name the code that was run; more than one commit if the run went on from an earlier one."""
    cases = Counter(report.commit for report in done)
    if len(cases) == 1:
        return next(iter(cases))
    return " and ".join(f"{commit} ({n} cases)" for commit, n in cases.items())


def _line(point: str, row: Row) -> str:
    cells = [
        f"`{point}`",
        ", ".join(sorted(row.programs)),
        *(str(row.moments[moment]) for moment in Moment),
        *(str(row.ways[how]) for how in (How.EXIT, How.KILL, How.FREEZE)),
        *(str(row.roads[road]) for road in (*_ROADS, _OTHER)),
        str(row.deaths),
        f"{row.slowest:.1f}",
        f"{row.wrong} WRONG" if row.wrong else "survived" if row.deaths else "NOT MET",
    ]
    return f"| {' | '.join(cells)} |"


def _command(given: argparse.Namespace) -> str:
    words = [
        f"--times {given.times} --worker-times {given.worker_times}",
        f"--freeze-times {given.freeze_times} --pairs {given.pairs} --seed {given.seed}",
        *(f"--jobs {given.jobs}" for _ in range(given.jobs > 1)),
        *(f"--only {given.only}" for _ in given.only[:1]),
        *(f"--scenario '{given.scenario}'" for _ in given.scenario[:1]),
        *(f"--go-on {given.go_on}" for _ in range(given.go_on is not None)),
    ]
    return f'make crash-test ARGS="{" ".join(words)} --report {given.report}"'


def _as_json(report: Report) -> dict[str, object]:
    return {
        "orders": [str(order) for order in report.case.orders],
        "scenario": report.case.scenario,
        "road": report.case.road,
        "count": report.case.count,
        "seed": report.case.seed,
        "commit": report.commit,
        "checkouts": report.checkouts,
        "ended": {f"{order} {how}": n for (order, how), n in report.ended.items()},
        "missing": {str(order): few for order, few in report.missing.items()},
        "seconds": round(report.seconds, 1),
        "to_rest": round(report.to_rest, 1),
        "faults": report.faults,
    }
