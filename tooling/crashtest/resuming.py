"""Goes on from a report: what survived stays, what was wrong or short of deaths is run anew."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sagas.participant.crash_plan import How
from tooling.crashtest.case import Case, Order
from tooling.crashtest.running import Report
from tooling.crashtest.scenario import Road

#: An order but for how often a recording saw its point passed, which differs from play to play.
Key = tuple[str, str, str, tuple[tuple[How, int], ...]]


def read(file: Path) -> list[Report]:
    """Return the reports of an earlier run that are right, or short of some deaths.

    Raises:
        SystemExit: the file is not what a run with ``--report`` writes.
    """
    try:
        told = [_report(each) for each in _cases_in(file)]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SystemExit(
            f"{file} cannot be gone on from ({type(error).__name__}: {error}): "
            "name the .json that a run with --report has written"
        ) from error
    return [report for report in told if not report.faults]


def left_over(cases: Sequence[Case], done: Sequence[Report]) -> Iterator[Case]:
    """Return what is left of ``cases``: without the orders, and the pairs, that survived."""
    alone = {
        key(order)
        for report in done
        for order in report.case.orders
        if report.survived(order) and not report.case.is_pair
    }
    right = [report.case for report in done if report.verdict == "right"]
    pairs = {_pair(case) for case in right if case.is_pair}
    for case in cases:
        if case.is_pair:
            if _pair(case) not in pairs:
                yield case
        elif orders := tuple(order for order in case.orders if key(order) not in alone):
            yield replace(case, orders=orders)


def _cases_in(file: Path) -> list[Any]:
    told = json.loads(file.read_text())
    if not isinstance(told, list):
        raise TypeError("it is no list of cases")
    return told


def key(order: Order) -> Key:
    """Return what makes an order the same in two recordings."""
    return order.program, order.point, order.moment, tuple(sorted(order.times.items()))


def _pair(case: Case) -> tuple[str, tuple[Key, ...]]:
    return case.scenario, tuple(map(key, case.orders))


def _report(told: Mapping[str, Any]) -> Report:
    case = Case(
        orders=tuple(map(Order.read, told["orders"])),
        scenario=told["scenario"],
        road=Road(told["road"]),
        count=told["count"],
        seed=told["seed"],
    )
    ended: Counter[tuple[Order, How]] = Counter()
    for text, times in told["ended"].items():
        order, _, how = text.rpartition(" ")
        ended[Order.read(order), How(how)] = times
    return Report(
        case,
        ended=ended,
        missing={Order.read(text): few for text, few in told["missing"].items()},
        checkouts=told["checkouts"],
        seconds=told["seconds"],
        to_rest=told["to_rest"],
        faults=told["faults"],
        commit=told["commit"],
    )
