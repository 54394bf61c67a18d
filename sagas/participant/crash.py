"""Names for every commit, publish and outside call: the moments at which a process may die.

A crash matters just before such a moment and just after it, nowhere else: only there has the
world changed. So each one is passed through one of the managers below, under a name of its own.
While nothing is armed, a pass costs one comparison; ``sagas.participant.crash_plan`` arms the
names for the crash tests, and a system check refuses that outside of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Protocol

from django.db import connections, transaction


class Moment(StrEnum):
    """Where at a point a process stands."""

    BEFORE = "before"
    AFTER = "after"


class Plan(Protocol):
    """What is to happen at which point."""

    def reached(self, point: str, moment: Moment) -> None:
        """Be told that a process is at ``point``; may never return."""


_plan: Plan | None = None


def arm(plan: Plan | None) -> None:
    """Let ``plan`` decide at every point from now on; None lets everything pass."""
    global _plan  # noqa: PLW0603  (one plan a process: it is the process that dies)
    _plan = plan


def armed() -> Plan | None:
    """Return the plan that decides now; None while everything passes."""
    return _plan


@contextmanager
def committing(point: str, *, using: str, durable: bool = False) -> Iterator[None]:
    """Open a transaction whose commit is ``point``; inside another one it is a mere savepoint.

    Args:
        point: ``domain.what_is_committed``; may be left empty inside another transaction.
        using: the database's alias.
        durable: refuse an outer transaction, as ``transaction.atomic`` does.
    """
    commits = not connections[using].in_atomic_block
    if commits and not point:
        raise ValueError(f"name the commit on {using!r}")
    with transaction.atomic(using=using, durable=durable):
        yield
        if commits:
            _reach(point, Moment.BEFORE)
    if commits:
        _reach(point, Moment.AFTER)


@contextmanager
def statement(point: str, *, using: str) -> Iterator[None]:
    """Hold one statement that commits by itself, unless a transaction is open on ``using``."""
    if connections[using].in_atomic_block:
        yield
        return
    with _around(point):
        yield


@contextmanager
def calling(point: str) -> Iterator[None]:
    """Hold one call to another system, or one publish; an error is an answer too."""
    with _around(point):
        yield


@contextmanager
def _around(point: str) -> Iterator[None]:
    _reach(point, Moment.BEFORE)
    try:
        yield
    except Exception:
        _reach(point, Moment.AFTER)
        raise
    _reach(point, Moment.AFTER)


def _reach(point: str, moment: Moment) -> None:
    if _plan is not None:
        _plan.reached(point, moment)
