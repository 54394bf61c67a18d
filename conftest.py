"""What all tests share: the embedded servers must be up, which `make test` sees to."""

import os

import pytest


def pytest_configure() -> None:
    """Say what to do when the environment does not point at any servers."""
    if "DATABASE_URL" not in os.environ:
        pytest.exit("Run `make test` (ARGS='-k word' for some of them): it starts the servers.")
