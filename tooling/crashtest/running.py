"""Runs one case: play the scenario while processes die, wait for rest, and look at what is left."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
from django.db import DatabaseError
from django.db.models import Q

from sagas.audit import runs
from sagas.audit.findings import open_findings
from sagas.auditor import Severity
from sagas.models import Saga
from sagas.participant.crash_plan import How
from tooling.crashtest import evidence, hearing
from tooling.crashtest.case import Case, Order
from tooling.crashtest.deaths import Deaths, dying
from tooling.crashtest.people import NeverAnswered, Placed
from tooling.crashtest.recording import Recording
from tooling.crashtest.scenario import Scenario, Stage
from tooling.crashtest.shop import PROGRAMS
from tooling.local.origin import commit
from tooling.local.supervisor import NotReady

#: A frozen worker is woken sooner when everything has come to rest without it.
_FROZEN_AT_LEAST = 3.0
#: Seconds within which somebody must die after the last one, and everything must come to rest.
_NEXT_DEATH, _PATIENCE = 30.0, 60.0
#: Plays at the most until enough processes have ended.
_PLAYS = 8
#: So many in a row of which nobody dies are enough to see that nobody comes by there.
_IN_VAIN = 2
_LOOK_EVERY = 0.2
_NUDGE_EVERY = 0.4
#: What a scenario may raise when the shop does not do what it must.
PLAY_FAILED = (NeverAnswered, NotReady, TimeoutError, httpx.HTTPError, DatabaseError)


@dataclass
class Report:
    """What came of a case: who ended, how long rest took, and what is wrong.

    Args:
        case: the case.
        ended: how many processes ended at each order, by the way.
        missing: how many did not end that should have, at each order with any.
        checkouts: how many were played.
        seconds: how long the case took.
        to_rest: seconds from the last death until everything was as it must be.
        faults: what is wrong.
        commit: of the code that was run.
    """

    case: Case
    ended: Counter[tuple[Order, How]] = field(default_factory=Counter)
    missing: Mapping[Order, int] = field(default_factory=dict)
    checkouts: int = 0
    seconds: float = 0.0
    to_rest: float = 0.0
    faults: list[str] = field(default_factory=list)
    commit: str = field(default_factory=commit)

    @property
    def verdict(self) -> str:
        """In a word: right, short of deaths, or wrong."""
        return "WRONG" if self.faults else "SHORT" if self.missing else "right"

    def survived(self, order: Order) -> Counter[How]:
        """Return how many deaths at an order counted: none if it missed some, or all is wrong."""
        if self.faults or order in self.missing:
            return Counter()
        return Counter({how: self.ended[order, how] for how in order.times})


def record(stage: Stage, scenario: Scenario, *, count: int = 1) -> Recording:
    """Play a scenario in which nobody dies, and return every pass.

    Raises:
        AssertionError: it does not end as it must; the scenario itself is wrong.
    """
    begun = time.time()
    for plan in stage.shop.plans.values():
        plan.record()
    placed = scenario.play(stage, count)
    faults = _rest(stage, scenario, placed, since=begun)
    passes = {program: stage.shop.plans[program].recorded() for program in PROGRAMS}
    if faults:
        raise AssertionError(f"{scenario.name}, with nobody dying: {'; '.join(faults)}")
    return Recording(
        scenario=scenario.name,
        road=scenario.road,
        count=count,
        passes=passes,
        lasting=scenario.lasting,
    )


def run(stage: Stage, case: Case, scenario: Scenario) -> Report:
    """Run a case and return what came of it."""
    begun = time.time()
    report, placed = Report(case), list[Placed]()
    with dying(stage.shop, case) as deaths, _noting_failure(report):
        in_vain = 0
        for _ in range(_PLAYS):
            before = len(deaths.hits)
            placed += scenario.play(stage, case.count)
            _wait(stage, scenario, placed, deaths, since=begun)
            in_vain = in_vain + 1 if len(deaths.hits) == before else 0
            if not deaths.missing or in_vain == _IN_VAIN:
                break
    with _noting_failure(report):
        report.faults += _rest(stage, scenario, placed, since=begun, deaths=len(deaths.hits))
    report.ended, report.checkouts = deaths.by_order(), len(placed)
    report.missing = {
        order: few
        for order in case.orders
        if (few := order.total - sum(report.ended[order, how] for how in order.times)) > 0
    }
    if deaths.hits:
        report.to_rest = time.time() - deaths.hits[-1].at
    report.seconds = time.time() - begun
    return report


@contextmanager
def _noting_failure(report: Report) -> Iterator[None]:
    """Call a case wrong that cannot be played: the others are still worth running."""
    try:
        yield
    except PLAY_FAILED as error:
        report.faults.append(f"could not be played: {type(error).__name__} {error}")


def _wait(
    stage: Stage, scenario: Scenario, placed: Sequence[Placed], deaths: Deaths, *, since: float
) -> None:
    """Wait until enough have ended, or until everything rests and nobody else would end."""
    for _ in _looks(stage, scenario, placed, deaths):
        if not deaths.missing and not deaths.frozen:
            return
        if _moving(since) or (scenario.lasting and deaths.missing):
            continue
        if not deaths.frozen and not scenario.also(stage, placed):
            return
        for hit in deaths.frozen:
            if time.time() - hit.at > _FROZEN_AT_LEAST:
                deaths.wake(hit)


def _rest(
    stage: Stage,
    scenario: Scenario,
    placed: Sequence[Placed],
    *,
    since: float,
    deaths: int = 0,
) -> list[str]:
    """Wait for rest, and return what is wrong then."""
    wrong: list[str] = []
    scenario.settle(stage, placed)
    for _ in _looks(stage, scenario, placed):
        moving = [f"{s.pk} still {s.state}, waits for {s.due_step}" for s in _moving(since)]
        wrong = moving or scenario.also(stage, placed) or _unheard(stage, placed)
        if not wrong:
            # A mail may still be on its way to its folder; what is wrong stays wrong.
            wrong = evidence.faults(stage.shop, placed, scenario, deaths=deaths) or _audited()
        if not wrong:
            break
    return wrong


def _unheard(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    """Return the events that are still on their way; clocks go on for those that died on it."""
    ids = [each.checkout_id for each in placed]
    if wrong := hearing.unheard(ids):
        hearing.time_passes(stage.shop, ids)
    return wrong


def _looks(
    stage: Stage, scenario: Scenario, placed: Sequence[Placed], deaths: Deaths | None = None
) -> Iterator[None]:
    """Look every now and then until patience ends; clocks go on meanwhile.

    Patience begins anew with each death.
    """
    begun, nudged = time.time(), 0.0
    last, patience = begun, _NEXT_DEATH if deaths else _PATIENCE
    while time.time() - last < patience:
        if time.monotonic() - nudged > _NUDGE_EVERY:
            scenario.nudge(stage, placed)
            nudged = time.monotonic()
        yield
        time.sleep(_LOOK_EVERY)
        last = max([begun, *(hit.at for hit in deaths.hits)]) if deaths else begun


def _audited() -> list[str]:
    """Return what the shop's own audit has against anything that changed since the last one."""
    run = runs.run(runs.Scope.CHANGED)
    violations = open_findings().filter(severity=Severity.VIOLATION)
    return [
        *(f"the audit could not look at {source}" for source in run.not_looked_at),
        *(f"the audit: {each.saga_id} {each.what}" for each in violations[:20]),
    ]


def _moving(since: float) -> list[Saga]:
    """Return the sagas of this case that somebody, or recovery, still works on.

    Args:
        since: when the case began, in seconds since the epoch: an earlier one is wrong by itself.
    """
    due = Q(next_attempt_at__isnull=False) | Q(lease_until__isnull=False)
    begun = datetime.fromtimestamp(since, UTC)
    sagas = Saga.objects.using("default").filter(due, parked="", created_at__gte=begun)
    return list(sagas[:20])
