"""A small API of the tests' own, on the project's parser and exception handler."""

from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_server

import pytest
from django.test import Client
from pytest_django import Settings


@pytest.fixture
def api(settings: Settings) -> Client:
    """Serve config.tests.urls; bugs answer like in production instead of raising here."""
    settings.ROOT_URLCONF = "config.tests.urls"
    settings.DEBUG = False
    return Client(raise_request_exception=False)


@contextmanager
def silent_server() -> Iterator[int]:
    """Accept connections on a port and never say a word."""
    with create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])
