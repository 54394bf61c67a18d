"""Kombu's transport for Redis and Valkey, with a time limit on the one read that has none.

A worker's only loop reads a connection when it is readable. On the one for broadcasts redis-py
then blocks until a whole message has come, whatever ``socket_timeout`` says, and a socket that
was readable need not stay so: a new connection may have got the number of one that has just been
lost, or the rest of a message may never come. The loop stood still for good, the worker took no
message any more, and nothing ended it. Seen in the soak when answers of the broker were held back
for six seconds; https://github.com/celery/celery/issues/2606 tells of others.
"""

from functools import cached_property
from typing import Any, cast

from kombu.transport import TRANSPORT_ALIASES, redis


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


class Channel(redis.Channel):
    """A channel that never waits for a broadcast."""

    @cached_property
    def subclient(self) -> Any:
        """The connection on which broadcasts come."""
        return bounded(cast("Any", self)._create_client(asynchronous=True).pubsub())


class Transport(redis.Transport):
    """The transport of the URL schemes ``redis`` and ``rediss``."""

    Channel = Channel


def install() -> None:
    """Let kombu take it for every connection that is made from now on."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))
