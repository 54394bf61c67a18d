"""A step's time limit hits the step that it was set for, and nothing before or after it."""

import signal
import time
from collections.abc import Iterator

import pytest

from sagas.cutoff import CutOff, get_ready, may_take


@pytest.fixture
def child() -> Iterator[None]:
    """This process with a pool child's handler; the timer of pytest-timeout runs on after it."""
    handler = signal.getsignal(signal.SIGALRM)
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    get_ready()
    yield
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, left)


def _is_running() -> bool:
    """Tell whether a timer would raise in this process later."""
    left, _ = signal.getitimer(signal.ITIMER_REAL)
    return left > 0


@pytest.mark.usefixtures("child")
def test_a_step_that_runs_too_long_is_cut_off() -> None:
    begun = time.monotonic()
    with pytest.raises(CutOff), may_take(0.05):
        time.sleep(20)
    assert time.monotonic() - begun < 10


@pytest.mark.usefixtures("child")
def test_what_comes_after_a_step_is_left_alone() -> None:
    """Guard: the timer is cleared when the step has ended."""
    with may_take(0.05):
        assert _is_running()
    assert not _is_running()
    time.sleep(0.2)


@pytest.mark.usefixtures("child")
def test_a_step_that_failed_leaves_no_timer_behind() -> None:
    with pytest.raises(ZeroDivisionError), may_take(0.05):
        _ = 1 / 0
    assert not _is_running()
    time.sleep(0.2)


@pytest.mark.usefixtures("child")
def test_each_step_of_a_message_has_its_own_limit() -> None:
    begun, done = time.monotonic(), 0
    for _ in range(3):
        with may_take(0.2):
            time.sleep(0.1)
            done += 1
    assert done == 3
    assert time.monotonic() - begun > 0.2, "together they take longer than one may"


def test_outside_of_a_pool_nothing_is_cut_off() -> None:
    """Guard: where the signal has no handler of ours, it would end the process."""
    before = signal.getitimer(signal.ITIMER_REAL)
    with may_take(0.01):
        time.sleep(0.05)
    assert (signal.getitimer(signal.ITIMER_REAL)[0] > 0) == (before[0] > 0)
