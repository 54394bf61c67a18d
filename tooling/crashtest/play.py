"""Records every scenario, makes the cases, has them run, and tells how it goes."""

import argparse
import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from django.contrib.auth.models import User
from django.db import connections

from sagas.participant.crash_plan import How
from tooling.crashtest import report as reports
from tooling.crashtest import resuming
from tooling.crashtest.case import (
    Case,
    Order,
    meeting_cases,
    packed,
    single_cases,
    takeover_cases,
)
from tooling.crashtest.crew import Crew
from tooling.crashtest.people import Operator, Shopper
from tooling.crashtest.points import points
from tooling.crashtest.receiver import listening
from tooling.crashtest.recording import Recording, chosen, meetings, unpassed
from tooling.crashtest.running import Report, record, run
from tooling.crashtest.scenario import Scenario, Stage
from tooling.crashtest.scenarios import ALL
from tooling.crashtest.scenarios.outgoing import add_endpoints
from tooling.crashtest.scenarios.upkeep import restock
from tooling.crashtest.shop import Shop
from tooling.crashtest.source import product
from tooling.local.instance import REPOSITORY

_NOT_COMPLETE = 2
#: How often what was short of deaths is tried anew.
_AGAIN = 2
#: Points that no scenario of a shop passes, with why.
_NOT_PLAYED = {
    "inventory.adjust_stock": "the admin calls it in a transaction, inventory.correct_stock",
    "inventory.set_low_at": "as well",
    "sagas.ask_for_audit": "no page asks for one yet",
    "sagas.ask_to_reconcile": "the same, over a window",
}
#: Every scenario by its name.
SCENARIOS = {scenario.name: scenario for scenario in ALL}


def play(shop: Shop, crew: Crew, given: argparse.Namespace, *, begun: float) -> int:
    """Run the crash test on a running shop; 0 only if every case ended as it must."""
    with staged(shop) as stage:
        return _play(stage, crew, given, begun)


def _play(stage: Stage, crew: Crew, given: argparse.Namespace, begun: float) -> int:
    done: list[Report] = []
    keep = partial(_keep, done, given, begun)
    if given.order:
        _run_all(stage, crew, [_one(given)], keep)
        return _tell(done, {})
    if given.go_on:
        done += resuming.read(given.go_on)
    add_endpoints(stage)
    recordings = [_recorded(stage, scenario) for scenario in ALL if _may_record(scenario, given)]
    names = {point.name for point in points(product(REPOSITORY))} - _NOT_PLAYED.keys()
    partly = bool(given.only or given.scenario)
    if not partly and (missing := unpassed(names, chosen(recordings))):
        print(f"no scenario passes {', '.join(missing)}: add one (docs/crash-test.md)")
        return _NOT_COMPLETE
    cases = list(resuming.left_over(cases_of(recordings, given), done))
    _run_all(stage, crew, cases, keep)
    for number in range(1, _AGAIN + 1):
        if short := shortened(done, seed=given.seed + number):
            print("once more, each alone, what was short of deaths:", flush=True)
            _run_all(stage, crew, short, keep)
    return _tell(done, reports.too_few(done, times=given.times))


def _keep(done: list[Report], given: argparse.Namespace, begun: float, report: Report) -> None:
    """Add a report, and write all: a run that is broken off can be gone on with."""
    done.append(report)
    if given.report:
        reports.write(given.report, done, given, seconds=time.monotonic() - begun)


def shortened(done: Sequence[Report], *, seed: int) -> list[Case]:
    """Return a case for each order of the last cases that did not survive, to be tried anew.

    Its processes end at the first passes there are: a scenario may pass a point once for however
    many checkouts.
    """
    made_up = {
        resuming.key(order)
        for report in done
        for order in report.case.orders
        if report.survived(order)
    }
    short = {
        resuming.key(order): (order, report.case)
        for report in done
        for order in report.case.orders
        if not report.survived(order) and not report.case.is_pair
    }
    return [
        replace(case, orders=(replace(order, passes=0.0),), seed=seed)
        for key, (order, case) in short.items()
        if key not in made_up
    ]


@contextmanager
def staged(shop: Shop) -> Iterator[Stage]:
    """Fill the shop with goods and people, and let somebody take its webhooks."""
    restock()
    users = User.objects.db_manager("default")
    operators = []
    for name in ("olga", "otto"):
        password = secrets.token_urlsafe()
        users.create_superuser(name, password=password)
        operators.append(Operator(shop.address, name, password))
    try:
        with listening() as receiver:
            yield Stage(shop, Shopper(shop.address), operators[0], operators[1], receiver)
    finally:
        for operator in operators:
            operator.sign_off()


def cases_of(recordings: Sequence[Recording], given: argparse.Namespace) -> list[Case]:
    """Return what is to be run: each point alone, then pairs, drawn by the seed."""
    seen = chosen(recordings)
    times = {
        How.EXIT: given.times,
        How.FREEZE: given.freeze_times,
        How.KILL: given.worker_times,
    }
    singles = [
        case for case in single_cases(seen, times=times, seed=given.seed) if given.only in str(case)
    ]
    # The audit of everything is quickest as long as there is little.
    cases = sorted(packed(singles), key=lambda case: not SCENARIOS[case.scenario].lasting)
    pairs = takeover_cases(seen, seed=given.seed) + meeting_cases(
        meetings(recordings), seed=given.seed
    )
    pairs = [case for case in pairs if given.only in str(case)]
    if 0 <= given.pairs < len(pairs):
        pairs = random.Random(given.seed).sample(pairs, given.pairs)
    return [*cases, *pairs]


def _one(given: argparse.Namespace) -> Case:
    return Case(
        orders=tuple(Order.read(text) for text in given.order),
        scenario=given.scenario,
        road=SCENARIOS[given.scenario].road,
        count=given.count,
        seed=given.seed,
    )


def _may_record(scenario: Scenario, given: argparse.Namespace) -> bool:
    return not given.scenario or scenario.name == given.scenario


def _recorded(stage: Stage, scenario: Scenario) -> Recording:
    begun = time.monotonic()
    recording = record(stage, scenario)
    passed = len({seen.point for seen in recording.seen()})
    print(f"  {scenario.name}: {passed} points, {time.monotonic() - begun:.1f} s", flush=True)
    return recording


def run_one(stage: Stage, case: Case) -> Report:
    """Run one case on this process's shop."""
    report = run(stage, case, SCENARIOS[case.scenario])
    connections.close_all()
    return report


def _run_all(
    stage: Stage, crew: Crew, cases: Sequence[Case], keep: Callable[[Report], None]
) -> None:
    print(f"{len(cases)} cases", flush=True)
    begun = time.monotonic()
    reports = crew.run_all(cases, partial(run_one, stage))
    for number, report in enumerate(reports, start=1):
        keep(report)
        spent = time.monotonic() - begun
        left = spent / number * (len(cases) - number)
        print(
            f"{number}/{len(cases)} {report.verdict} {report.seconds:.0f} s, "
            f"{report.ended.total()} ended, {report.checkouts} checkouts, "
            f"about {left / 60:.0f} min left: {report.case}",
            flush=True,
        )
        faults = [
            *report.faults,
            *(f"{few} too few have ended at {order}" for order, few in report.missing.items()),
        ]
        for fault in faults:
            print(f"    {fault}", flush=True)
        if faults:
            print(f"    again: {report.case.replay}", flush=True)


def _tell(done: Sequence[Report], few: Mapping[str, int]) -> int:
    wrong = [report for report in done if report.faults]
    ended = sum(report.ended.total() for report in done)
    checkouts = sum(report.checkouts for report in done)
    print(
        f"\n{len(done)} cases, {ended} processes ended, {checkouts} checkouts: "
        f"{len(wrong)} cases are wrong"
    )
    if few:
        print(f"not often enough: {', '.join(f'{point} {n}' for point, n in few.items())}")
    return 1 if wrong or few or any(report.missing for report in done[-1:]) else 0
