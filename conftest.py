"""What all tests share: the servers must be up, and every commit happens at a crash point."""

import os
from collections.abc import Iterator

import pytest

from tests.commit_watch import watching


def pytest_configure() -> None:
    """Say what to do when the environment does not point at any servers."""
    if "DATABASE_URL" not in os.environ:
        pytest.exit("Run `make test` (ARGS='-k word' for some of them): it starts the servers.")


@pytest.fixture(autouse=True)
def every_commit_is_at_a_crash_point() -> Iterator[None]:
    """Fail a test in which the product commits at no crash point (docs/crash-test.md)."""
    with watching() as watch:
        yield
    if watch.unnamed:
        pytest.fail("\n".join(watch.unnamed), pytrace=False)
