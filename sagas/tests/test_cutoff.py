"""The soft time limit hits the step that it was meant for, and nothing before or after it."""

import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from billiard.pool import SIG_SOFT_TIMEOUT

from sagas.cutoff import hold_back, may_be_cut_off


@pytest.fixture(autouse=True)
def child() -> Iterator[None]:
    """This process with a pool child's handler and mask."""

    def cut_off(number: int, frame: FrameType | None) -> None:
        raise SoftTimeLimitExceeded

    handler = signal.signal(SIG_SOFT_TIMEOUT, cut_off)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    hold_back()
    yield
    if SIG_SOFT_TIMEOUT in signal.sigpending():
        signal.sigwait({SIG_SOFT_TIMEOUT})
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    signal.signal(SIG_SOFT_TIMEOUT, handler)


def _limit_is_reached() -> None:
    # A pool child has one thread; this process may have more, which would take the signal.
    signal.pthread_kill(threading.get_ident(), SIG_SOFT_TIMEOUT)


def test_a_step_that_runs_too_long_is_cut_off() -> None:
    with pytest.raises(SoftTimeLimitExceeded), may_be_cut_off():
        _limit_is_reached()


def test_a_child_that_writes_its_result_is_left_alone() -> None:
    """Guard: the signal is held back outside of a step."""
    with may_be_cut_off():
        pass
    _limit_is_reached()


def test_a_limit_that_comes_late_does_not_hit_the_next_step() -> None:
    """Guard: what is pending is dropped before the next step begins."""
    _limit_is_reached()
    with may_be_cut_off():
        pass
