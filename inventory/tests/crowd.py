"""Real threads that start at the same instant, each with a database connection of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connections

from inventory.models import DATABASE

T = TypeVar("T")


def all_at_once(actions: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """Run every action in a thread of its own; return what each returned or raised, in order."""
    barrier = Barrier(len(actions))

    def run(action: Callable[[], T]) -> T | Exception:
        try:
            # Connect first, so that all of them really meet at the row.
            connections[DATABASE].ensure_connection()
            barrier.wait(timeout=30)
            return action()
        except Exception as error:  # noqa: BLE001  (the test looks at what was raised)
            return error
        finally:
            connections[DATABASE].close()

    with ThreadPoolExecutor(max_workers=len(actions)) as threads:
        return list(threads.map(run, actions))
