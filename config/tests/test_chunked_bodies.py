"""Bodies without Content-Length, through a WSGI environment as gunicorn makes it."""

import io
import json
from collections.abc import Iterable
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client, RequestFactory
from pytest_django import Settings

from config.chunked import BoundedChunkedBodies

# A request looks at the connections that are open, and other tests may have left some.
pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def limit(api: Client, settings: Settings) -> int:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    return 100


def send(body: bytes, **environ: Any) -> tuple[str, Any]:
    request = RequestFactory().post("/api/echo", content_type="application/json")
    whole = {
        **request.environ,
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        **environ,
    }
    del whole["CONTENT_LENGTH"]
    seen: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        seen.append(status)

    answer: Iterable[bytes] = BoundedChunkedBodies(WSGIHandler())(whole, start_response)
    return seen[0], json.loads(b"".join(answer))


def test_a_chunked_body_is_read(limit: int) -> None:
    assert send(b'{"a": 1}') == ("200 OK", {"a": 1})


def test_a_chunked_body_above_the_limit_is_a_413(limit: int) -> None:
    status, answer = send(b'"' + b"a" * limit + b'"')
    assert status == "413 Request Entity Too Large"
    assert answer["type"] == "/api/v1/problems/body-too-large"
    assert answer["max_bytes"] == limit


def test_a_server_that_does_not_end_chunked_bodies_is_left_alone(limit: int) -> None:
    status, answer = send(b'{"a": 1}', **{"wsgi.input_terminated": False})
    assert (status, answer) == ("200 OK", {})
