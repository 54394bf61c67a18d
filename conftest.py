"""What all tests share: the servers must be up, and every commit happens at a crash point."""

import os
from collections.abc import Iterator

import pytest
from django.db import connections

from tests.commit_watch import watching


def pytest_configure() -> None:
    """Say what to do when the environment does not point at any servers."""
    if "DATABASE_URL" not in os.environ:
        pytest.exit("Run `make test` (ARGS='-k word' for some of them): it starts the servers.")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files whose tests empty the tables last: what the migrations wrote goes with it."""
    emptying = {item.path for item in items if _empties_tables(item)}
    items.sort(key=lambda item: item.path in emptying)


def _empties_tables(item: pytest.Item) -> bool:
    mark = item.get_closest_marker("django_db")
    return mark is not None and bool(mark.kwargs.get("transaction"))


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Dropping five databases may take longer than the statements of a shop may."""
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
