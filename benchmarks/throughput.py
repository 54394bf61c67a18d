"""Checkouts a second, and what each costs: the real system works off a backlog, beside others.

    make bench    # or: python benchmarks/throughput.py --checkouts 2000 --rounds 3

Each round, one after the other on the same embedded servers: the real system works off a backlog,
placed while its first worker stood still; pgbench plays the statements of as many (floor.py); our
steps run in one process, without messages; and the same checkout, on DBOS and as a plain Celery
chain on the ORM, works off as many (contenders/). All of it shares this machine: the ratio is the
figure.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import floor, system
from benchmarks.contenders import dbos_runner, naive_runner, one_process
from benchmarks.contenders.runner import Contender
from benchmarks.cpu import Meter
from benchmarks.floor import Floor
from benchmarks.system import System
from benchmarks.venv import python_with
from tooling.local.instance import REPOSITORY
from tooling.local.stack import WORKERS

_HERE = Path(__file__).parent
_WARM_UP = 50
_REPORT = REPOSITORY / "build" / "bench" / "throughput.json"

#: PostgreSQL counts the commits of a session once it has been idle for a moment; in seconds.
_COUNTED_AFTER = 1.5
OURS, FLOOR = "Makegood", "SQL floor"


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one backlog took.

    Args:
        contender: who worked it off.
        checkouts: how many.
        completed: checkouts a second, from the first step on until all were COMPLETE.
        heard: the same until every consumer had heard of every event.
        cpu: milliseconds of CPU for each checkout until then, by program.
        commits: transactions for each checkout until then, over all databases.
        memory: resident megabytes of each of our workers' processes at the end, the largest.
    """

    contender: str
    checkouts: int
    completed: float
    heard: float
    cpu: Mapping[str, float]
    commits: float
    memory: Mapping[str, float]


def main() -> int:
    """Measure, print a table, write build/bench/throughput.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkouts", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="nobody beside ours")
    parser.add_argument("--broker", default="", help="URL of ours, such as RabbitMQ's")
    parser.add_argument("--picture", type=Path, help="an .svg file to draw it in")
    given = parser.parse_args()
    with system.running(broker=given.broker) as ours, ExitStack() as beside:
        entrants: list[Callable[[int], Round]] = [partial(_work_off, ours)]
        if not given.alone:
            entrants += _others(ours, beside)
        _work_off(ours, _WARM_UP)
        print("| | completed/s | heard/s | CPU ms each | commits each |\n|---|---|---|---|---|")
        rounds = []
        for _ in range(given.rounds):
            for entrant in entrants:
                rounds.append(entrant(given.checkouts))
                print(_line(rounds[-1]), flush=True)
    _tell(rounds)
    _REPORT.parent.mkdir(parents=True, exist_ok=True)
    _REPORT.write_text(json.dumps([asdict(each) for each in rounds], indent=2))
    if given.picture:
        drawer = python_with(_HERE / "requirements-picture.txt")
        words = [str(drawer), str(_HERE / "picture.py"), str(_REPORT), str(given.picture)]
        subprocess.run(words, check=True)
    return 0


def _others(ours: System, beside: ExitStack) -> Iterator[Callable[[int], Round]]:
    under = floor.prepare(ours.environment)
    yield partial(_play, under, ours)
    alone = beside.enter_context(one_process.running(ours.environment))
    yield partial(_in_one_process, alone, ours)
    for runner in (dbos_runner, naive_runner):
        contender = beside.enter_context(runner.running(ours.environment))
        yield partial(_work_off_by, contender, ours)


def _line(each: Round) -> str:
    figures = (each.completed, each.heard, sum(each.cpu.values()), each.commits)
    return f"| {each.contender} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |"


def _tell(rounds: Sequence[Round]) -> None:
    by_name: dict[str, list[Round]] = {}
    for each in rounds:
        by_name.setdefault(each.contender, []).append(each)
    ours = by_name[OURS]
    print("\n| program | CPU ms for each checkout | MB of its largest process, first and last |")
    print("|---|---|---|")
    for name in ours[0].cpu:
        held = [f"{each.memory[name]:.0f}" for each in (ours[0], ours[-1]) if name in each.memory]
        print(f"| {name} | {median(each.cpu[name] for each in ours):.1f} | {', '.join(held)} |")
    for name, theirs in by_name.items():
        if name != OURS:
            both = zip(ours, theirs, strict=True)
            ratios = [one.completed / other.completed for one, other in both]
            told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
            print(f"\ncompleted/s, ours to {name}: median {median(ratios):.2f} of {told}")


def _work_off(ours: System, checkouts: int) -> Round:
    meter = Meter({**ours.roots, **ours.servers})
    with ours.standing_still("domain"):
        for _ in range(checkouts):
            system.place()
        commits = _commits()
        meter.begin()
        begun = time.monotonic()
    system.until(system.all_complete)
    completed = time.monotonic() - begun
    system.until(system.all_heard)
    heard = time.monotonic() - begun
    spent = meter.seconds()
    time.sleep(_COUNTED_AFTER)
    return Round(
        contender=OURS,
        checkouts=checkouts,
        completed=checkouts / completed,
        heard=checkouts / heard,
        cpu=_each(spent, checkouts),
        commits=(_commits() - commits) / checkouts,
        memory={name: _largest(ours.roots[name]) for name in WORKERS},
    )


def _work_off_by(other: Contender, ours: System, checkouts: int) -> Round:
    """Let a contender do as many; it places them as it completes them."""
    meter = Meter({other.name: other.pid, **ours.servers})
    commits = _commits()
    meter.begin()
    seconds = other.run(checkouts)
    spent = meter.seconds()
    return _round_of(other.name, checkouts, seconds, spent, commits)


def _in_one_process(alone: Contender, ours: System, checkouts: int) -> Round:
    # Nobody else may find its checkouts overdue.
    with ours.standing_still("recovery", "beat"):
        alone.place(checkouts)
        done = _work_off_by(alone, ours, checkouts)
    system.until(system.all_heard)
    return done


def _play(under: Floor, ours: System, checkouts: int) -> Round:
    first = under.take_in(checkouts)
    meter = Meter({"postgres": ours.servers["postgres"]})
    time.sleep(_COUNTED_AFTER)
    commits = _commits()
    meter.begin()
    seconds, used = under.run(checkouts, first=first)
    return _round_of(FLOOR, checkouts, seconds, {"pgbench": used, **meter.seconds()}, commits)


def _round_of(
    name: str, checkouts: int, seconds: float, spent: Mapping[str, float], commits: int
) -> Round:
    time.sleep(_COUNTED_AFTER)
    return Round(
        contender=name,
        checkouts=checkouts,
        completed=checkouts / seconds,
        heard=checkouts / seconds,
        cpu=_each(spent, checkouts),
        commits=(_commits() - commits) / checkouts,
        memory={},
    )


def _each(spent: Mapping[str, float], checkouts: int) -> Mapping[str, float]:
    return {name: 1000 * seconds / checkouts for name, seconds in spent.items()}


def _largest(root: int) -> float:
    """Return the resident megabytes of the largest process of a tree."""
    first = psutil.Process(root)
    return max(each.memory_info().rss for each in [first, *first.children(recursive=True)]) / 1e6


def _commits() -> int:
    from django.db import connections

    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT sum(xact_commit) FROM pg_stat_database")
        return int(cursor.fetchone()[0])


if __name__ == "__main__":
    sys.exit(main())
