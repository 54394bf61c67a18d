"""How the soak measures the time that a kill held a checkout up."""

from uuid import uuid4

from tooling.soak.injector import Injected
from tooling.soak.plan import faults_for
from tooling.soak.recovering import Kill, Progress, Recovered, percentile, times_to_recover
from tooling.soak.report import Report

SAGA = uuid4()


def _kill(epoch: int = 1) -> Kill:
    return Kill(number=1, at=100.0, held={SAGA: epoch})


def test_it_counts_from_the_kill_to_the_next_progress() -> None:
    history = {SAGA: [Progress(epoch=1, at=90.0), Progress(epoch=2, at=121.5)]}
    (found,) = times_to_recover([_kill()], history, {SAGA: True})
    assert (found.kill, found.saga_id, found.seconds) == (1, SAGA, 21.5)


def test_progress_in_the_same_epoch_was_not_held_up() -> None:
    history = {SAGA: [Progress(epoch=1, at=100.2), Progress(epoch=2, at=130.0)]}
    assert not times_to_recover([_kill()], history, {SAGA: True})


def test_what_had_been_finished_before_was_not_held_up() -> None:
    history = {SAGA: [Progress(epoch=1, at=99.0)]}
    assert not times_to_recover([_kill()], history, {SAGA: True})


def test_what_had_been_taken_over_before_was_not_held_up() -> None:
    """A copy of an old message; what comes later, such as a person's retry, has other causes."""
    history = {SAGA: [Progress(epoch=2, at=99.0), Progress(epoch=3, at=1500.0)]}
    assert not times_to_recover([_kill()], history, {SAGA: True})


def test_what_never_goes_on_is_told() -> None:
    (found,) = times_to_recover([_kill()], {}, {SAGA: False})
    assert found.seconds is None


def test_two_kills_of_one_checkout_count_twice() -> None:
    kills = [_kill(), Kill(number=2, at=110.0, held={SAGA: 2})]
    history = {SAGA: [Progress(epoch=3, at=120.0)]}
    found = times_to_recover(kills, history, {SAGA: True})
    assert [one.seconds for one in found] == [20.0, 10.0]


def test_what_an_earlier_kill_left_behind_counts_from_that_one() -> None:
    kills = [Kill(number=2, at=110.0, held={SAGA: 1}), _kill()]
    history = {SAGA: [Progress(epoch=2, at=120.0)]}
    found = times_to_recover(kills, history, {SAGA: True})
    assert [(one.kill, one.seconds) for one in found] == [(1, 20.0)]


def test_percentiles_are_of_the_nearest_rank() -> None:
    values = [float(n) for n in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.99)) == (50.0, 99.0)
    assert (percentile([4.0], 0.99), percentile([], 0.5)) == (4.0, 0.0)
    assert percentile([1.0, 2.0, 3.0], 0.99) == 3.0


def test_the_heading_tells_what_was_wrong_from_what_failed_to_be_done() -> None:
    (planned,) = faults_for(1, checkouts=100, gap=10)[:1]
    report = Report(command="", seed=1, rested=True, audit={"ok": True, "findings": []})
    assert report.verdict == "zero"
    report.faults = [Injected(planned, began=1.0, error="CannotStart")]
    assert report.verdict == "nothing wrong; 1 fault not brought to an end"
    assert not report.is_zero
    report.audit = {"ok": False, "findings": []}
    assert report.verdict == "VIOLATIONS"


def test_the_slowest_are_told_with_the_faults_of_their_time() -> None:
    first, second, third = faults_for(1, checkouts=100, gap=10)[:3]
    faults = [
        Injected(first, began=100.0, ended=101.0),
        Injected(second, began=115.0, ended=118.0),
        Injected(third, began=140.0, ended=141.0),
    ]
    recovered = [
        Recovered(kill=third.number, saga_id=SAGA, seconds=3.04),
        Recovered(kill=first.number, saga_id=SAGA, seconds=20.0),
        Recovered(kill=first.number, saga_id=SAGA, seconds=None),
    ]
    report = Report(command="", seed=1, faults=faults, recovered=recovered)
    assert report.slowest == [
        {"saga": str(SAGA), "seconds": 20.0, "faults": [str(first), str(second)]},
        {"saga": str(SAGA), "seconds": 3.0, "faults": [str(third)]},
    ]
