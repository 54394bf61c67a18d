"""The broker's place, taken by a bag: what is published is caught at Celery's own edge.

Kombu's in-memory transport takes the messages as they go out on the wire, and Celery's own tracer
runs one when the test says so: it decides whether the chain's next message is sent, as in a worker.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from celery import Celery, states
from celery.app.trace import build_tracer
from django.conf import settings
from kombu import Connection, Queue

_URL = "memory://"
#: Events take no part in the order of a saga. Their messages are lost here: outboxes keep them.
_LOST = ("events", "outgoing")


@dataclass(frozen=True)
class Message:
    """One published message; it may be run any number of times, at any time."""

    task: str
    arguments: dict[str, Any]
    headers: dict[str, Any]
    payload: list[Any]

    def __str__(self) -> str:
        step = self.arguments.get("step", "")
        epoch = f" in epoch {self.arguments['epoch']}" if step else ""
        return f"{self.task} {step}{epoch}"


class Broker:
    """Catches what ``app`` publishes, and runs it as a worker would."""

    def __init__(self, app: Celery) -> None:
        self._app: Any = app
        app.loader.import_default_modules()  # as a worker does when it starts
        self._channel: Any = Connection(_URL).default_channel
        self._tracers: dict[str, Any] = {}

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let ``app`` publish into the bag; forget its connections before and after."""
        self._connect(_URL)
        try:
            yield
        finally:
            self._connect(settings.BROKER_URL)

    def take(self) -> list[Message]:
        """Take out everything that was published since the last time."""
        taken = []
        for name in settings.CELERY_QUEUES:
            queue = Queue(name, channel=self._channel)
            queue.declare()
            if name in _LOST:
                queue.purge()
                continue
            while (message := queue.get(no_ack=True)) is not None:
                taken.append(
                    Message(
                        task=message.headers["task"],
                        arguments=message.payload[1],
                        headers=dict(message.headers),
                        payload=message.payload,
                    )
                )
        return taken

    def run(self, message: Message) -> Exception | None:
        """Run a message's task; return the error by which it ended, None if it ended well."""
        args, kwargs, embed = message.payload
        request = {
            **message.headers,
            **embed,
            "hostname": "model@test",
            "delivery_info": {"redelivered": False},
        }
        traced = self._tracer(message.task)(message.headers["id"], args, dict(kwargs), request)
        failed = traced.info is not None and traced.info.state == states.FAILURE
        return traced.info.retval if failed else None

    def _tracer(self, name: str) -> Any:
        if name not in self._tracers:
            task = self._app.tasks[name]
            self._tracers[name] = build_tracer(name, task, app=self._app, hostname="model@test")
        return self._tracers[name]

    def _connect(self, url: str) -> None:
        self._app.conf.update(broker_write_url=url)
        self._app._after_fork()  # makes the pools of connections anew
