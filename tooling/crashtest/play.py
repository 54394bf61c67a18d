"""Records every scenario, makes the cases, runs them one after the other, and tells how it goes."""

import argparse
import random
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.contrib.auth.models import User
from django.db import connections

from sagas.participant.crash_plan import How
from tooling.crashtest import report as reports
from tooling.crashtest.case import (
    Case,
    Order,
    meeting_cases,
    single_cases,
    takeover_cases,
)
from tooling.crashtest.people import Operator, Shopper
from tooling.crashtest.points import points
from tooling.crashtest.recording import Recording, chosen, meetings, unpassed
from tooling.crashtest.running import Report, record, run
from tooling.crashtest.scenario import Scenario, Stage
from tooling.crashtest.scenarios import ALL
from tooling.crashtest.scenarios.upkeep import restock
from tooling.crashtest.shop import Shop
from tooling.crashtest.source import product
from tooling.local.instance import REPOSITORY

_NOT_COMPLETE = 2
#: Points that no scenario of a shop passes, with why.
_NOT_PLAYED = {
    "inventory.adjust_stock": "the admin calls it in a transaction, inventory.correct_stock",
    "sagas.ask_for_audit": "no page asks for one yet",
    "sagas.ask_to_reconcile": "the same, over a window",
}
#: Every scenario by its name.
SCENARIOS = {scenario.name: scenario for scenario in ALL}


def play(shop: Shop, given: argparse.Namespace, *, begun: float) -> int:
    """Run the crash test on a running shop; 0 only if every case ended as it must."""
    restock()
    with staged(shop) as stage:
        return _play(stage, given, begun)


def _play(stage: Stage, given: argparse.Namespace, begun: float) -> int:
    if given.order:
        cases = [_one(given)]
    else:
        recordings = [
            _recorded(stage, scenario) for scenario in ALL if _may_record(scenario, given)
        ]
        names = {point.name for point in points(product(REPOSITORY))} - _NOT_PLAYED.keys()
        if not given.only and (missing := unpassed(names, chosen(recordings))):
            print(f"no scenario passes {', '.join(missing)}: add one (docs/crash-test.md)")
            return _NOT_COMPLETE
        cases = cases_of(recordings, given)
    print(f"{len(cases)} cases", flush=True)
    done = _run_all(stage, cases)
    if given.report:
        reports.write(given.report, done, given, seconds=time.monotonic() - begun)
    return _tell(done)


@contextmanager
def staged(shop: Shop) -> Iterator[Stage]:
    """Fill the shop with people: a shopper and two operators."""
    users = User.objects.db_manager("default")
    operators = []
    for name in ("olga", "otto"):
        password = secrets.token_urlsafe()
        users.create_superuser(name, password=password)
        operators.append(Operator(shop.address, name, password))
    try:
        yield Stage(shop, Shopper(shop.address), *operators)
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
    cases = single_cases(seen, times=times, seed=given.seed)
    pairs = takeover_cases(seen, seed=given.seed) + meeting_cases(
        meetings(recordings), seed=given.seed
    )
    if 0 <= given.pairs < len(pairs):
        pairs = random.Random(given.seed).sample(pairs, given.pairs)
    return [case for case in (*cases, *pairs) if given.only in str(case)]


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


def _run_all(stage: Stage, cases: Sequence[Case]) -> list[Report]:
    begun, done = time.monotonic(), []
    for number, case in enumerate(cases, start=1):
        report = run(stage, case, SCENARIOS[case.scenario])
        connections.close_all()
        done.append(report)
        spent = time.monotonic() - begun
        left = spent / number * (len(cases) - number)
        verdict = "WRONG" if report.faults else "right"
        print(
            f"{number}/{len(cases)} {verdict} {report.seconds:.0f} s, "
            f"about {left / 60:.0f} min left: {case}",
            flush=True,
        )
        for fault in report.faults:
            print(f"    {fault}", flush=True)
        if report.faults:
            print(f"    again: {case.replay}", flush=True)
    return done


def _tell(done: Sequence[Report]) -> int:
    wrong = [report for report in done if report.faults]
    ended = sum(sum(report.ended.values()) for report in done)
    checkouts = sum(report.checkouts for report in done)
    print(
        f"\n{len(done)} cases, {ended} processes ended, {checkouts} checkouts: "
        f"{len(wrong)} cases are wrong"
    )
    return 1 if wrong else 0
