"""The time limit of a step: a timer of the pool child's own, set for the step and nothing else.

Celery's soft time limit would be a signal from the worker's parent. It counts for the whole
message, which may run several steps, and a parent that was held up by a broker that is away sends
it late: to a child that writes its result by then, and a result that is cut off in the middle
breaks the pipe between the two for good. Only the hard limit is left to the parent: it ends a
child that no exception gets out of what it does.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from celery import signals


class CutOff(Exception):
    """What was begun took longer than it may."""

    code = "time-limit"


@signals.worker_process_init.connect
def get_ready(**_: Any) -> None:
    """Let the timer's signal raise in a new pool child; elsewhere nothing is ever cut off."""
    signal.signal(signal.SIGALRM, _cut_off)


@contextmanager
def may_take(seconds: float) -> Iterator[None]:
    """Cut the block off after so many seconds, if this is a pool child.

    Raises:
        CutOff: out of whatever the block was doing then.
    """
    if signal.getsignal(signal.SIGALRM) is not _cut_off:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _cut_off(number: int, frame: FrameType | None) -> NoReturn:
    raise CutOff("It took longer than its time limit.")
