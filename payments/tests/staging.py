"""A gateway on which workers die or freeze just before or just after a call.

It is the real adapter to the real (fake) provider; only the moment is chosen. Reached through
settings.PAYMENT_GATEWAYS, like any other gateway.
"""

from collections.abc import Callable
from enum import StrEnum
from threading import Event, Thread
from typing import Any, TypeVar

from django.db import connections

from payments.gateways.fake import FakeGateway
from payments.gateways.port import Intent, Refund
from payments.models import DATABASE

_T = TypeVar("_T")


class Killed(BaseException):
    """The process is gone: nothing catches it, nothing after it runs."""


class Moment(StrEnum):
    BEFORE = "before"
    AFTER = "after"


class Stage:
    """What happens at which moment of which verb; each cue is used once."""

    def __init__(self) -> None:
        self.cues: dict[tuple[str, Moment], Callable[[], None]] = {}

    def reach(self, verb: str, moment: Moment) -> None:
        cue = self.cues.pop((verb, moment), None)
        if cue:
            cue()

    def kill(self, verb: str, moment: Moment) -> None:
        """The next worker that reaches the moment dies there."""

        def die() -> None:
            raise Killed

        self.cues[verb, moment] = die

    def freeze(self, verb: str, moment: Moment) -> "Frozen":
        """The next worker that reaches the moment stands still until it is woken."""
        frozen = Frozen()
        self.cues[verb, moment] = frozen.stand
        return frozen


class Frozen:
    """A worker that stands still."""

    def __init__(self) -> None:
        self.arrived, self._woken = Event(), Event()

    def stand(self) -> None:
        self.arrived.set()
        assert self._woken.wait(20)

    def wake(self) -> None:
        self._woken.set()


stage = Stage()


class StagedGateway(FakeGateway):
    def create_intent(self, **given: Any) -> Intent:
        return _play("create_intent", lambda: super(StagedGateway, self).create_intent(**given))

    def confirm(self, **given: Any) -> Intent:
        return _play("confirm", lambda: super(StagedGateway, self).confirm(**given))

    def capture(self, **given: Any) -> Intent:
        return _play("capture", lambda: super(StagedGateway, self).capture(**given))

    def cancel(self, **given: Any) -> Intent:
        return _play("cancel", lambda: super(StagedGateway, self).cancel(**given))

    def refund(self, **given: Any) -> Refund:
        return _play("refund", lambda: super(StagedGateway, self).refund(**given))


def _play(verb: str, call: Callable[[], _T]) -> _T:
    stage.reach(verb, Moment.BEFORE)
    answer = call()
    stage.reach(verb, Moment.AFTER)
    return answer


class Worker(Thread):
    """Runs one call on a connection of its own and keeps how it ended."""

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__()
        self._call = call
        self.result: object = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._call()
        except BaseException as error:  # noqa: BLE001  (the test looks at it)
            self.error = error
        finally:
            connections[DATABASE].close()

    def end(self) -> "Worker":
        """Wait for the end of the call."""
        self.join(20)
        assert not self.is_alive()
        return self
