"""Threads that work as processes do, with connections of their own, and may be killed."""

from collections.abc import Callable
from threading import Thread

from django.db import connections


class Killed(BaseException):
    """The process is gone: nothing catches it, nothing after it runs."""


class Worker(Thread):
    """Runs one call on connections of its own and keeps how it ended."""

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__()
        self._call = call
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001  (the test looks at it)
            self.error = error
        finally:
            connections.close_all()

    def end(self) -> "Worker":
        """Wait for the end of the call."""
        self.join(20)
        assert not self.is_alive()
        return self
