"""The soft time limit cuts off a step, and nothing else that a pool child does.

billiard raises SoftTimeLimitExceeded from a signal handler, wherever the child happens to be. A
parent that was held up, by a broker that is away, sends the signal late: the child is writing
its result by then. A result that is cut off in the middle breaks the pipe between the two for
good, and the worker hangs without consumers until somebody kills it. So the signal is held back,
but for the time in which a step runs.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from billiard.pool import SIG_SOFT_TIMEOUT
from celery import signals

_SIGNAL: set[int] = {SIG_SOFT_TIMEOUT}


@signals.worker_process_init.connect
def hold_back(**_: Any) -> None:
    """Hold the soft time limit's signal back in a new pool child."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNAL)


@contextmanager
def may_be_cut_off() -> Iterator[None]:
    """Let the block be cut off; a signal that came late for what ran before is dropped."""
    if SIG_SOFT_TIMEOUT in signal.sigpending():
        signal.sigwait(_SIGNAL)
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNAL)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
