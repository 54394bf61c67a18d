"""A broker that hangs stops no worker: no read lasts for ever, no message stays in its hands."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import current_app
from kombu import Connection
from kombu.common import ignore_errors
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import TimeoutError as NotInTime
from redis.retry import Retry

from config import redis_transport

LIMIT = 0.5
#: Seconds until the server that owes half a message hangs up.
SERVED = 20.0


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
                ended.wait(SERVED)

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
    began = time.monotonic()
    with pytest.raises(NotInTime):
        broadcasts.parse_response()
    # Without the guard it is the server that ends it, and a second connection that is not answered.
    assert time.monotonic() - began < SERVED / 2
    client.close()


@pytest.fixture
def in_hand() -> Iterator[Any]:
    """The one message that a worker with a single child has taken, at a broker that hangs."""
    with current_app.connection_for_read(transport_options={"socket_timeout": LIMIT}) as connection:
        queue = connection.SimpleQueue("a-single-hand")
        queue.consumer.qos(prefetch_count=1)
        queue.put({"anything": 1})
        message: Any = queue.get(timeout=10)
        assert not message.channel.qos.can_consume()
        message.channel.client.execute_command("CLIENT", "PAUSE", int(LIMIT * 2000), "ALL")
        yield message
        time.sleep(LIMIT * 2)
        queue.queue.delete()
        queue.close()


def test_an_acknowledgement_that_nobody_answers_leaves_a_hand_free(in_hand: Any) -> None:
    """Guard: the message is put down whatever the broker says (else the worker takes no more)."""
    with pytest.raises(NotInTime):
        in_hand.ack()
    assert in_hand.channel.qos.can_consume()


@pytest.mark.parametrize("requeue", [True, False])
def test_so_does_a_message_that_was_not_dealt_with(in_hand: Any, requeue: bool) -> None:
    """Guard: the message is put down whatever the broker says."""
    with pytest.raises(NotInTime):
        in_hand.reject(requeue=requeue)
    assert in_hand.channel.qos.can_consume()


def test_a_connection_that_was_let_go_of_with_a_message_in_hand_ends_no_worker() -> None:
    """Guard: it is a connection error that nobody can be asked any more (else: the worker ends)."""
    with current_app.connection_for_read() as connection:
        queue = connection.SimpleQueue("let-go-of")
        queue.put({"anything": 1})
        message: Any = queue.get(timeout=10)
        channel = message.channel
        # So far Celery's first attempt comes when the broker is gone; the second begins here.
        channel._disconnect_pools()
        channel.connection.client = None
        try:
            with ignore_errors(connection):
                connection.close()
        except AttributeError as error:
            pytest.fail(f"not what Celery takes for a lost connection: {error}")
        assert not connection.connected
    with current_app.connection_for_read() as again:
        anew: Any = again.default_channel
        anew.qos.restore_by_tag(message.delivery_tag)  # as the visibility time-out does
        assert anew.basic_get("let-go-of", no_ack=True).decode() == {"anything": 1}
        anew.queue_delete("let-go-of")
