"""Kombu's transport for Redis and Valkey, mended where a broker that hangs stops a worker for good.

**A read without a time limit.** A worker's only loop reads a connection when it is readable. On
the one for broadcasts redis-py then blocks until a whole message has come, whatever
``socket_timeout`` says, and a socket that was readable need not stay so: a new connection may have
got the number of one that has just been lost, or the rest of a message may never come. The loop
stood still for good, the worker took no message any more, and nothing ended it. Seen in the soak
when answers of the broker were held back for six seconds;
https://github.com/celery/celery/issues/2606 tells of others.

**A place that stays taken.** A worker takes as many messages at a time as it has children. When
the broker does not answer an acknowledgement in time, Celery logs that and goes on, but kombu
counts the message among those in hand until the connection ends, which need not come: the worker
takes one message less at a time, and one with a single child takes none any more. Seen in
``tests/test_outages.py``.

**A connection that is let go of twice.** When it is lost, Celery closes it once, which fails, and
then again, and then kombu wants to give the messages in hand back and finds nobody to ask where
the broker is. That is no connection error, so Celery ends the worker. Seen in the soak;
https://github.com/celery/kombu/issues/582 tells of another way to it.
"""

from functools import cached_property
from typing import Any, cast

from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from redis.exceptions import ConnectionError as NotConnected


def bounded(subscription: Any) -> Any:
    """Let the reads of a PubSub of redis-py end: at once if nothing is there, else in time.

    A read that its ``socket_timeout`` ends raises redis-py's TimeoutError, after which the worker
    connects anew.
    """
    read = subscription.parse_response
    longest = subscription.connection_pool.connection_kwargs["socket_timeout"]

    def parse_response(block: bool = True, timeout: float = 0) -> Any:
        connection = subscription.connection
        if connection is not None and not connection.can_read(timeout=0):
            return None
        return read(block=False, timeout=longest)

    subscription.parse_response = parse_response
    return subscription


class QoS(redis.QoS):
    """The messages that a worker has in hand; who is done with one has a hand free.

    If the broker has not heard of it, it hands the message out again after the visibility
    time-out, and that copy does nothing.
    """

    def ack(self, delivery_tag: str) -> None:
        """Tell the broker that a message is done with."""
        try:
            super().ack(delivery_tag)
        finally:
            virtual.QoS.ack(self, delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Tell the broker that a message was not dealt with, and whether somebody else may try."""
        try:
            super().reject(delivery_tag, requeue=requeue)
        finally:
            virtual.QoS.ack(self, delivery_tag)


class Channel(redis.Channel):
    """A channel that ends no worker and stops none, whatever becomes of its broker."""

    QoS = QoS
    #: Messages without a priority leave room for some that go first; see settings.BROKER_FIRST.
    default_priority = 3

    @cached_property
    def subclient(self) -> Any:
        """The connection on which broadcasts come."""
        return bounded(cast("Any", self)._create_client(asynchronous=True).pubsub())

    def _connparams(self, asynchronous: bool = False) -> Any:
        """Say where the broker is; in kombu, whoever asks after the connection was let go of fails.

        What is in hand then comes back after the visibility time-out, if nothing else took it up.
        """
        if self.connection.client is None:
            raise NotConnected("the connection was let go of")
        kombus: Any = super()
        return kombus._connparams(asynchronous=asynchronous)


class Transport(redis.Transport):
    """The transport of the URL schemes ``redis`` and ``rediss``."""

    Channel = Channel


def install() -> None:
    """Let kombu take it for every connection that is made from now on."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))
