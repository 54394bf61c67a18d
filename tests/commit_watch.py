"""Watches every commit of the product while a test runs: each one must happen at a crash point.

It stands where Django itself executes and commits, so that it sees what the product does and
not what the product says it does. Rows that a test writes with its own hands are its own.
"""

import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from sagas.participant import crash
from sagas.participant.crash import Moment
from tooling.crashtest.points import Kind, points
from tooling.crashtest.source import PRODUCT, product
from tooling.local.instance import REPOSITORY

#: Tables whose rows Django, or a library, writes by itself: the saga never rests on them.
THEIRS = {
    "django_session": "signing in and out",
    "auth_user": "the time of the last login",
    "django_admin_log": "the admin's own log of edits",
    "django_celery_beat_periodictask": "celery-beat's schedule",
    "django_celery_beat_periodictasks": "celery-beat's schedule",
}
_NO_SHOP = {"tests", "migrations", "seeding"}
_WRITE = re.compile(
    r'\s*(?:WITH \w+ AS \(\s*)?(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(?P<table>\w+)', re.IGNORECASE
)


class CommitWatch:
    """A plan (``sagas.participant.crash.Plan``) that lets all pass, and knows who is where."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self.unnamed: list[str] = []
        self._kinds = kinds
        self._here = threading.local()

    def reached(self, point: str, moment: Moment) -> None:
        """Note that this thread is at ``point`` until its commit, or until it is past it."""
        self._here.point = point if moment is Moment.BEFORE else ""

    def statement(
        self, execute: Any, sql: str, params: Any, many: bool, context: Mapping[str, Any]
    ) -> Any:
        """Look at one statement; an execute wrapper of Django."""
        write = _WRITE.match(sql)
        if write is not None:
            connection: BaseDatabaseWrapper = context["connection"]
            if connection.in_atomic_block:
                self._written(connection).add(write["table"])
            else:
                self._judge(Kind.STATEMENT, {write["table"]}, connection.alias)
        return execute(sql, params, many, context)

    def committed(self, connection: BaseDatabaseWrapper) -> None:
        """Look at one COMMIT, just before it is sent."""
        written = self._written(connection)
        if written:
            self._judge(Kind.COMMIT, written, connection.alias)
        written.clear()

    def rolled_back(self, connection: BaseDatabaseWrapper) -> None:
        """Forget what was never committed."""
        self._written(connection).clear()

    def _written(self, connection: BaseDatabaseWrapper) -> set[str]:
        tables: dict[str, set[str]] = self._here.__dict__.setdefault("tables", {})
        return tables.setdefault(connection.alias, set())

    def _judge(self, kind: Kind, tables: set[str], alias: str) -> None:
        point = getattr(self._here, "point", "")
        # One point, one commit: a second one would need a name of its own.
        self._here.point = ""
        if crash.armed() is not self or self._kinds.get(point, kind if point else None) is kind:
            return
        if tables <= THEIRS.keys():
            return
        frames = _frames()
        if frames and _is_product(frames[-1][0]):
            stack = "\n".join(f"  {path}:{line} {name}" for path, line, name in frames)
            wrote = ", ".join(sorted(tables))
            self.unnamed.append(f"a {kind} on {alias!r} ({wrote}) at no crash point:\n{stack}")


@contextmanager
def watching() -> Iterator[CommitWatch]:
    """Watch all connections of all threads for as long as the block runs."""
    watch = CommitWatch(_kinds())

    def look(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
        if watch.statement not in connection.execute_wrappers:
            connection.execute_wrappers.append(watch.statement)

    def commit(connection: BaseDatabaseWrapper) -> Any:
        watch.committed(connection)
        return djangos_commit(connection)

    def rollback(connection: BaseDatabaseWrapper) -> Any:
        watch.rolled_back(connection)
        return djangos_rollback(connection)

    wrapper: Any = BaseDatabaseWrapper
    djangos_commit, djangos_rollback = wrapper._commit, wrapper._rollback
    mine = connections.all(initialized_only=True)
    before = crash.armed()
    connection_created.connect(look)
    for connection in mine:
        look(connection=connection)
    wrapper._commit, wrapper._rollback = commit, rollback
    crash.arm(watch)
    try:
        yield watch
    finally:
        crash.arm(before)
        wrapper._commit, wrapper._rollback = djangos_commit, djangos_rollback
        connection_created.disconnect(look)
        for connection in connections.all(initialized_only=True):
            if watch.statement in connection.execute_wrappers:
                connection.execute_wrappers.remove(watch.statement)


_read: dict[str, Kind] = {}


def _kinds() -> Mapping[str, Kind]:
    """Return every point's kind; the source is read once a run."""
    if not _read:
        _read.update({point.name: point.kind for point in points(product(REPOSITORY))})
    return _read


def _frames() -> list[tuple[Path, int, str]]:
    """Return our own frames of this thread's stack, whoever asked for the statement last."""
    found: list[tuple[Path, int, str]] = []
    frame = sys._getframe(1)
    here: Any = frame
    while here is not None:
        path = Path(here.f_code.co_filename)
        if path.is_relative_to(REPOSITORY) and path != Path(__file__):
            inside = path.relative_to(REPOSITORY)
            if not inside.parts[0].startswith("."):
                found.append((inside, here.f_lineno, here.f_code.co_name))
        here = here.f_back
    return found[::-1]


def _is_product(path: Path) -> bool:
    return path.parts[0] in PRODUCT and not _NO_SHOP.intersection(path.parts)
