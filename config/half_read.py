"""Celery's prefork pool, which goes on with a result that was half read when the broker was lost.

A child writes each result in two parts, and the worker's loop may have read one of them when its
connection to the broker breaks. Celery's loop then forgets that it was in the middle, takes the
rest for the beginning of another result, fails at that, and never reads that child's results
again: the child sits idle and counts as busy until its task's hard time limit ends it. When a
broker stops answering, publishing children and the loop run out of time at the same moment, so that
a worker loses all of its children at once. Seen in the soak; Celery 5.7 mends it for the shutdown
alone.
"""

from collections.abc import Callable, Generator
from inspect import GEN_SUSPENDED, getgeneratorstate, isgenerator
from typing import Any

from celery.concurrency import asynpool

_Celerys: Any = asynpool.ResultHandler  # its stub lacks what matters here


class ResultHandler(_Celerys):  # type: ignore[misc]
    """Remembers for each child the read that it is in the middle of."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Descriptor -> the child, since descriptors are used again, and the read.
        self._begun: dict[int, tuple[object, Generator[object, Any, object]]] = {}

    def _make_process_result(self, hub: Any) -> Callable[[int], None]:
        begin = super()._make_process_result(hub)

        def on_result_readable(fileno: int) -> None:
            child = self.fileno_to_outq.get(fileno)
            of, read = self._begun.get(fileno, (None, None))
            if read is not None and of is child and getgeneratorstate(read) == GEN_SUSPENDED:
                hub.add_reader(fileno, read)  # the loop goes on with it from here
                return
            begin(fileno)
            reader, _ = hub.readers.get(fileno, (None, ()))
            if isgenerator(reader):
                self._begun[fileno] = child, reader

        return on_result_readable


def install() -> None:
    """Let every pool that is made from now on use it."""
    asynpool.AsynPool.ResultHandler = ResultHandler
