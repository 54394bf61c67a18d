"""Meddles with the broker's messages: takes some on their way and loses, doubles or holds them up.

The meddler waits for messages as a worker does (BRPOP), so that it gets some even where the
queues are always empty. Keys and shapes are those of kombu's Redis transport: a list for each queue
and priority, and the hash ``unacked`` with what was delivered and not acknowledged.
"""

import base64
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from redis import Redis
from redis.exceptions import RedisError

from tooling.local.stack import WORKERS

QUEUES = tuple(queue for queues, _ in WORKERS.values() for queue in queues.split(","))
#: What goes first is in a list that has the queue's name; for the rest kombu adds the priority.
_LISTS = tuple(name for queue in QUEUES for name in (queue, f"{queue}\x06\x163"))
_UNACKED, _UNACKED_INDEX = "unacked", "unacked_index"
_WAIT_SECONDS = 1
#: Between two messages, so that the meddler does not take its own copies again and again.
_BREATH = 0.1


@dataclass(frozen=True)
class Held:
    """A message that a worker has: whose saga it is about, in which epoch, from which queue."""

    saga_id: UUID
    epoch: int
    queue: str


def drop(broker: "Redis", *, seconds: float) -> int:
    """Lose what comes by, and what is in the workers' hands; return how many messages."""
    lost = _meddle(broker, seconds, lambda *_: None)
    tags = broker.hkeys(_UNACKED)
    for tag in tags:
        broker.hdel(_UNACKED, tag)
        broker.zrem(_UNACKED_INDEX, tag)
    return lost + len(tags)


def duplicate(broker: "Redis", *, seconds: float) -> int:
    """Double what comes by, and send a copy of what the workers have in hand."""

    def twice(queue: str, message: str) -> None:
        broker.lpush(queue, message, _copy(message))

    doubled = _meddle(broker, seconds, twice)
    for message, queue in _in_hand(broker):
        broker.lpush(queue, _copy(json.dumps(message)))
        doubled += 1
    return doubled


def reorder(broker: "Redis", *, seconds: float) -> int:
    """Hold everything up, then let it go, the last first or in any order."""
    held: list[tuple[str, str]] = []
    count = _meddle(broker, seconds, lambda queue, message: held.append((queue, message)))
    random.shuffle(held)
    for queue, message in held:
        broker.lpush(queue, message)
    return count


def in_hand(broker: "Redis") -> Sequence[Held]:
    """Return the messages about a saga's step that were delivered and not acknowledged."""
    found = []
    for message, queue in _in_hand(broker):
        arguments = _arguments(message)
        if "epoch" in arguments:
            found.append(Held(UUID(arguments["saga_id"]), int(arguments["epoch"]), queue))
    return found


def _meddle(broker: "Redis", seconds: float, act: Callable[[str, str], object]) -> int:
    """Take every message that comes by for so many seconds; a broker that dies ends it."""
    until = time.monotonic() + seconds
    taken = 0
    try:
        while time.monotonic() < until:
            if found := broker.brpop(list(_LISTS), timeout=_WAIT_SECONDS):
                act(*map(str, found))
                taken += 1
                time.sleep(_BREATH)
    except RedisError:
        return taken
    return taken


def _copy(message: str) -> str:
    """Return a message as if it had been published twice."""
    copied = json.loads(message)
    copied["properties"]["delivery_tag"] = str(uuid4())
    return json.dumps(copied)


def _in_hand(broker: "Redis") -> Iterator[tuple[dict[str, Any], str]]:
    for packed in broker.hvals(_UNACKED):
        message, _, queue = json.loads(packed)
        yield message, queue


def _arguments(message: dict[str, Any]) -> dict[str, Any]:
    body = json.loads(base64.b64decode(message["body"]))
    arguments: dict[str, Any] = body[1]
    return arguments
