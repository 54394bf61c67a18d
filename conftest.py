"""What all tests share: the servers must be up, and every commit happens at a crash point."""

import os
from collections.abc import Iterator

import pytest
from django.contrib.contenttypes.management import create_contenttypes
from django.core.management.color import Style
from django.core.management.commands import flush
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.signals import post_migrate

from tests.commit_watch import watching


def pytest_configure() -> None:
    """Say what to do when the environment does not point at any servers."""
    if "DATABASE_URL" not in os.environ:
        pytest.exit("Run `make test` (ARGS='-k word' for some of them): it starts the servers.")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files whose tests empty the tables last: what the migrations wrote goes with it.

    Behind them come those whose tests run the whole system. It stays up until the last of them, and
    would work on what another test of the same process leaves in the databases.
    """
    emptying = {item.path for item in items if _empties_tables(item)}
    running = {item.path for item in items if "stack" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: (item.path in emptying, item.path in running))


def _empties_tables(item: pytest.Item) -> bool:
    mark = item.get_closest_marker("django_db")
    return mark is not None and bool(mark.kwargs.get("transaction"))


#: What models and their permissions are called: the same for every test.
_KEPT = ("django_content_type", "auth_permission")


def _sql_flush(
    style: Style, connection: BaseDatabaseWrapper, *, reset_sequences: bool, **_: bool
) -> list[str]:
    """Return what empties the tables that have rows, but those that are the same for every test.

    To truncate an empty table costs as much, and most of them are.
    """
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    asked = " UNION ALL ".join(
        f"SELECT '{name}' WHERE EXISTS (SELECT FROM {connection.ops.quote_name(name)})"  # noqa: S608
        for name in names
        if name not in _KEPT
    )
    with connection.cursor() as cursor:
        cursor.execute(asked)
        filled = [name for (name,) in cursor.fetchall()]
    return connection.ops.sql_flush(
        style, filled, reset_sequences=reset_sequences, allow_cascade=True
    )


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Set the databases up, and keep what would take a third of the time to make anew each time.

    Dropping five databases may take longer than the statements of a shop may.
    """
    post_migrate.disconnect(create_contenttypes)
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush, "sql_flush", _sql_flush)
        yield
    for connection in connections.all():
        connection.settings_dict["OPTIONS"]["options"] = "-c statement_timeout=0"


@pytest.fixture(autouse=True)
def every_commit_is_at_a_crash_point() -> Iterator[None]:
    """Fail a test in which the product commits at no crash point (docs/crash-test.md)."""
    with watching() as watch:
        yield
    if watch.unnamed:
        pytest.fail("\n".join(watch.unnamed), pytrace=False)
