"""A crash test goes on from its report: what survived is not run again, everything else is."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tooling.crashtest import report as reports
from tooling.crashtest import resuming
from tooling.crashtest.case import Case, Order
from tooling.crashtest.main import add_arguments
from tooling.crashtest.running import Report
from tooling.crashtest.scenario import Road

CLAIM, SAVE = "domain:sagas.claim.before:exit*3:2", "domain:sagas.save.after:exit*2+freeze*1"
#: The same, where another recording saw the point passed more often.
CLAIM_OFTEN = "domain:sagas.claim.before:exit*3:7"


def case(*orders: str, count: int = 5) -> Case:
    return Case(
        orders=tuple(map(Order.read, orders)),
        scenario="all goes well",
        road=Road.FORWARD,
        count=count,
        seed=1,
    )


def played(
    case: Case, *, missing: Sequence[str] = (), faults: Sequence[str] = (), commit: str = "abc"
) -> Report:
    """Return a report in which all died that were to die, but one of each of the missing."""
    orders = tuple(map(Order.read, missing))
    ended = {(o, how): n - (o in orders) for o in case.orders for how, n in o.times.items()}
    few = dict.fromkeys(orders, 1)
    return Report(case, Counter(ended), missing=few, faults=list(faults), commit=commit)


def read_again(tmp_path: Path, *done: Report) -> list[Report]:
    """Return what a later run reads of the file that these reports were written to."""
    file = tmp_path / "crash-points.md"
    words = argparse.ArgumentParser()
    add_arguments(words)
    reports.write(file, done, words.parse_args(["--report", str(file)]), seconds=60)
    return resuming.read(file.with_suffix(".json"))


def test_what_survived_is_not_run_again(tmp_path: Path) -> None:
    done = read_again(tmp_path, played(case(CLAIM)))
    assert [report.verdict for report in done] == ["right"]
    assert list(resuming.left_over([case(CLAIM_OFTEN, SAVE)], done)) == [case(SAVE)]
    assert list(resuming.left_over([case(CLAIM_OFTEN)], done)) == []


def test_what_was_short_of_deaths_is_run_again_and_the_rest_of_its_case_is_not(
    tmp_path: Path,
) -> None:
    done = read_again(tmp_path, played(case(CLAIM, SAVE), missing=[SAVE]))
    assert list(resuming.left_over([case(CLAIM, SAVE)], done)) == [case(SAVE)]


def test_what_was_wrong_is_run_again(tmp_path: Path) -> None:
    done = read_again(tmp_path, played(case(CLAIM, SAVE), faults=["a ghost charge"]))
    assert list(resuming.left_over([case(CLAIM, SAVE)], done)) == [case(CLAIM, SAVE)]


def test_a_pair_is_not_made_up_for_by_what_survived_alone(tmp_path: Path) -> None:
    pair = case(CLAIM, SAVE, count=1)
    alone = read_again(tmp_path, played(case(CLAIM, SAVE)))
    assert list(resuming.left_over([pair], alone)) == [pair]
    together = read_again(tmp_path, played(pair))
    assert list(resuming.left_over([pair, case(CLAIM)], together)) == [case(CLAIM)]


def test_the_report_says_which_code_was_run(tmp_path: Path) -> None:
    earlier = read_again(tmp_path, played(case(CLAIM)))
    read_again(tmp_path, *earlier, played(case(SAVE), commit="def"))
    page = (tmp_path / "crash-points.md").read_text()
    assert "abc (1 cases) and def (1 cases)" in page


@pytest.mark.parametrize("text", ["", "{}", '[{"orders": []}]', '[{"orders": ["x"]}]'])
def test_what_is_no_report_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(SystemExit, match=r"other\.json cannot be gone on from"):
        resuming.read(file)
