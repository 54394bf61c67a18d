"""Threads that read ahead: while the databases work on one page, the one before is judged."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar

from django.db import connections

T = TypeVar("T")
R = TypeVar("R")

#: One waits for a database, one has Python for itself; more would only queue for it.
_READERS = 2


@contextmanager
def read_ahead(act: Callable[[T], R], things: Iterable[T]) -> Iterator[Iterator[R]]:
    """Do ``act`` on each of ``things`` in threads; yield the results in order.

    No more results wait than there are threads, so that memory holds a few pages only.
    """
    pool = ThreadPoolExecutor(_READERS, thread_name_prefix="audit")
    waiting: deque[Future[R]] = deque()

    def in_order() -> Iterator[R]:
        for thing in things:
            waiting.append(pool.submit(act, thing))
            if len(waiting) > _READERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    try:
        yield in_order()
    finally:
        for each in waiting:
            each.cancel()
        _close_connections(pool)
        pool.shutdown()


def _close_connections(pool: ThreadPoolExecutor) -> None:
    """Each thread has connections of its own, and only it can close them."""
    all_there = Barrier(_READERS)

    def close() -> None:
        all_there.wait()
        connections.close_all()

    for ended in [pool.submit(close) for _ in range(_READERS)]:
        ended.result()
