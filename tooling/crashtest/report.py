"""The report: a table of the points, and what to run to see it again."""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sagas.participant.crash import Moment
from sagas.participant.crash_plan import How
from tooling.crashtest.running import Report


@dataclass
class Row:
    """What one moment of one point survived."""

    survived: Counter[How] = field(default_factory=Counter)
    programs: set[str] = field(default_factory=set)
    roads: set[str] = field(default_factory=set)
    slowest: float = 0.0
    wrong: int = 0


def write(file: Path, done: Sequence[Report], given: argparse.Namespace, *, seconds: float) -> None:
    """Write the table to ``file``, and every case to a .json beside it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_page(done, given, seconds))
    file.with_suffix(".json").write_text(
        json.dumps([_as_json(report) for report in done], indent=1) + "\n"
    )


def rows(done: Sequence[Report]) -> dict[tuple[str, Moment], Row]:
    """Return what each moment of each point survived without another's help."""
    found: dict[tuple[str, Moment], Row] = {}
    for report in done:
        for order in () if report.case.is_pair else report.case.orders:
            row = found.setdefault((order.point, order.moment), Row())
            row.programs.add(order.program)
            row.roads.add(report.case.road)
            row.slowest = max(row.slowest, report.to_rest)
            row.wrong += bool(report.faults)
            if not report.faults:
                for how in How:
                    row.survived[how] += report.ended[order, how]
    return dict(sorted(found.items()))


def _page(done: Sequence[Report], given: argparse.Namespace, seconds: float) -> str:
    table = rows(done)
    pairs = [report for report in done if report.case.is_pair]
    wrong = [r for r in done if r.faults]
    ended = sum(sum(r.ended.values()) for r in done)
    least = min((row.survived[How.EXIT] for row in table.values()), default=0)
    command = (
        f"make crash-test ARGS='--times {given.times} --worker-times {given.worker_times} "
        f"--freeze-times {given.freeze_times} --pairs {given.pairs} --seed {given.seed}'"
    )
    lines = [
        "# Crash points",
        "",
        f"Made by `{command}` in {seconds / 60:.0f} minutes.",
        "",
        f"- {len({point for point, _ in table})} points, each just before and just after; "
        f"{ended} processes ended or frozen; {sum(r.checkouts for r in done)} checkouts.",
        f"- Deaths of a child at each moment: {least} at the least.",
        f"- Cases in which two processes end on one saga: {len(pairs)}.",
        f"- Wrong: {len(wrong)} of {len(done)} cases.",
        "",
        "A child is a process of a pool, or of the web server, that ends by `os._exit`; a worker",
        "is its whole process group, by SIGKILL; frozen is SIGSTOP until others have taken over.",
        "The last column has the longest time from the last death until every saga rested, in s.",
        "",
        "| point | moment | in | road | child | worker | frozen | to rest | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (point, moment), row in table.items():
        survived = [str(row.survived[how]) for how in (How.EXIT, How.KILL, How.FREEZE)]
        cells = [
            f"`{point}`",
            moment,
            ", ".join(sorted(row.programs)),
            ", ".join(sorted(row.roads)),
            *survived,
            f"{row.slowest:.1f}",
            f"{row.wrong} WRONG" if row.wrong else "survived",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    for report in wrong:
        lines += ["", f"Wrong: {report.case}", ""]
        lines += [f"- {fault}" for fault in report.faults]
        lines.append(f"- again: `{report.case.replay}`")
    return "\n".join(lines) + "\n"


def _as_json(report: Report) -> dict[str, object]:
    return {
        "orders": [str(order) for order in report.case.orders],
        "scenario": report.case.scenario,
        "road": report.case.road,
        "seed": report.case.seed,
        "checkouts": report.checkouts,
        "ended": {f"{order} {how}": n for (order, how), n in report.ended.items()},
        "seconds": round(report.seconds, 1),
        "to_rest": round(report.to_rest, 1),
        "faults": report.faults,
    }
