"""No read of a worker's loop lasts longer than its time-out, broadcasts among them."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import current_app
from kombu import Connection
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import TimeoutError as NotInTime
from redis.retry import Retry

from config import redis_transport

LIMIT = 0.5


@pytest.fixture
def half_a_message() -> Iterator[int]:
    """The port of a server that takes the subscription and sends half of what it owes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = threading.Event()

        def serve() -> None:
            caller, _ = listening.accept()
            with caller:
                while b"SUBSCRIBE" not in (said := caller.recv(1024)):
                    caller.sendall(b"+OK\r\n" * said.count(b"*"))
                caller.sendall(b"*3\r\n$9\r\nsubscribe\r\n")
                ended.wait(20)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        ended.set()
        thread.join(20)


def test_celery_uses_it() -> None:
    with current_app.connection_for_read() as connection:
        assert isinstance(connection.transport, redis_transport.Transport)
    with Connection("redis://localhost") as other, Connection("rediss://localhost") as safe:
        assert {other.get_transport_cls(), safe.get_transport_cls()} == {redis_transport.Transport}


def test_nothing_to_read_is_nothing_to_wait_for() -> None:
    """What the loop was told is readable may be so no more (before: it blocked for ever)."""
    with current_app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        broadcasts = channel.subclient
        broadcasts.psubscribe("nobody-says-anything")
        answers: list[Any] = []
        ends = time.monotonic() + 10
        while not answers and time.monotonic() < ends:
            answers = [answer for answer in [broadcasts.parse_response()] if answer]
        assert answers[0][0] in (b"psubscribe", "psubscribe")
        assert broadcasts.parse_response() is None
        broadcasts.close()


def test_half_a_message_is_waited_for_as_long_as_any_answer(half_a_message: int) -> None:
    """Guard: the read has the connection's own time-out."""
    client: Any = Redis(
        host="127.0.0.1", port=half_a_message, socket_timeout=LIMIT, protocol=2,
        retry=Retry(NoBackoff(), 0),
    )  # fmt: skip
    broadcasts = redis_transport.bounded(client.pubsub())
    broadcasts.subscribe("anything")
    time.sleep(0.2)
    with pytest.raises(NotInTime):
        broadcasts.parse_response()
    client.close()
