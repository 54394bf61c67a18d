"""The only place in the tests that waits: short looks until something is so."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(
    look: Callable[[], T], *, until: Callable[[T], bool] = bool, timeout: float = 30
) -> T:
    """Look again and again; return the first result that fits, or fail with the last one."""
    deadline = time.monotonic() + timeout
    while True:
        seen = look()
        if until(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not so after {timeout:g} s; last seen: {seen!r}")
        time.sleep(0.05)
