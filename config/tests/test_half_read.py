"""A worker whose broker is lost in the middle of a child's result still gets that result."""

import os
import pickle
from collections.abc import Iterator
from struct import pack
from types import SimpleNamespace
from typing import Any

import pytest
from celery.concurrency.asynpool import AsynPool
from kombu.asynchronous import Hub

_TASK_IS_READY, _JOB = 1, 7


class Loop:
    """A worker's loop with one child, of which a test plays the pipe."""

    def __init__(self) -> None:
        self.reads, self.writes = os.pipe()
        os.set_blocking(self.reads, False)
        self.got: list[object] = []
        self.hub = Hub()
        self.children: dict[int, object] = {self.reads: SimpleNamespace()}
        handler: Any = AsynPool.ResultHandler
        self.handler = handler(
            *[None] * 2, {}, *[None] * 6,
            fileno_to_outq=self.children, on_process_alive=None,
        )  # fmt: skip
        self.handler.on_state_change = self.got.append
        self.connect()

    def connect(self) -> None:
        """Do what a worker does when it is connected to its broker, also anew."""
        self.handler.register_with_event_loop(self.hub)
        self.hub.add_reader(self.reads, self.handler.handle_event, self.reads)
        self.turns = self.hub.create_loop()

    def turn(self) -> None:
        """Let the loop go round once."""
        self.hub.call_later(0.01, lambda: None)
        next(self.turns)


@pytest.fixture
def loop() -> Iterator[Loop]:
    running = Loop()
    yield running
    running.hub.close()
    os.close(running.reads)
    os.close(running.writes)


def _result(value: str) -> bytes:
    said = pickle.dumps((_TASK_IS_READY, (_JOB, None, (True, value), None)))
    return pack("!i", len(said)) + said


@pytest.mark.parametrize("part", [2, 4, 20], ids=["in its length", "at its length", "in its body"])
def test_a_result_is_read_to_its_end_after_the_broker_was_lost(loop: Loop, part: int) -> None:
    """Guard: the read goes on where it was (before: the child was never heard of again)."""
    first, second = _result("first"), _result("second")
    os.write(loop.writes, first[:part])
    loop.turn()
    for _ in range(2):
        loop.hub.reset()
        loop.connect()
    os.write(loop.writes, first[part:])
    loop.turn()
    loop.turn()
    os.write(loop.writes, second)
    loop.turn()
    loop.turn()
    assert [pickle.dumps(each) for each in loop.got] == [first[4:], second[4:]]


def test_what_another_child_had_begun_is_not_gone_on_with(loop: Loop) -> None:
    """Guard: descriptors are used again."""
    os.write(loop.writes, _result("of one that died")[:4])
    loop.turn()
    loop.hub.reset()
    loop.children[loop.reads] = SimpleNamespace()
    loop.connect()
    os.write(loop.writes, _result("of its successor"))
    loop.turn()
    loop.turn()
    assert [pickle.dumps(each) for each in loop.got] == [_result("of its successor")[4:]]
