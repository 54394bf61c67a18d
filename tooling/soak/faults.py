"""The faults, one class a kind. Each breaks its target, waits, and leaves it whole again."""

import os
import random
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from tooling.local.stack import WORKERS
from tooling.soak import messages
from tooling.soak.link import State, Trouble
from tooling.soak.plan import BEAT, Kind, Planned
from tooling.soak.system import System

_UP_SECONDS = 90.0


@dataclass(frozen=True)
class Fault(ABC):
    """One fault of the plan on one system.

    ``killed`` is told when a process of the system was killed, with the queues it served.
    """

    planned: Planned
    system: System
    killed: Callable[[Planned], None]

    @abstractmethod
    def inject(self) -> int:
        """Break, wait, mend; return how many things were hit."""

    @property
    def target(self) -> str:
        """On whom."""
        return self.planned.target

    def wait(self) -> None:
        """Let the fault last as long as planned."""
        time.sleep(self.planned.seconds)

    def random(self) -> random.Random:
        """Return the source of what the plan leaves open; the same for equal plans."""
        return random.Random(f"{self.planned.number} {self.planned.after}")


class KillChild(Fault):
    """One child of a pool dies in the middle of whatever it does."""

    def inject(self) -> int:
        children = self.system.supervisor.children(self.target)
        if not children:
            return 0
        with suppress(ProcessLookupError):
            os.kill(self.random().choice(children), signal.SIGKILL)
        self.killed(self.planned)
        return 1


class KillProgram(Fault):
    """A program and all below it die; its supervisor starts it again."""

    def inject(self) -> int:
        self.system.supervisor.kill(self.target)
        self.killed(self.planned)
        self.system.supervisor.wait_ready(self.target, timeout=_UP_SECONDS)
        return 1


class KillBroker(Fault):
    """The broker dies and comes back with what it had synced."""

    def inject(self) -> int:
        self.system.services.valkey.kill()
        self.wait()
        self.system.services.valkey.start()
        self.system.note_valkey()
        return 1


class KillPostgres(Fault):
    """All five databases die at once and recover from their log."""

    def inject(self) -> int:
        self.system.services.postgres.kill()
        self.wait()
        self.system.services.postgres.start()
        self.system.note_postgres()
        return 1


class RestartProgram(Fault):
    """A deployment: the program is asked to end, and started again."""

    def inject(self) -> int:
        self.system.supervisor.restart(self.target)
        self.system.supervisor.wait_ready(self.target, timeout=_UP_SECONDS)
        return 1


class RestartBroker(Fault):
    """The broker ends in order, and comes back with its data or, with ``forgets``, without."""

    forgets = False

    def inject(self) -> int:
        self.system.services.valkey.stop()
        if self.forgets:
            self.system.services.valkey.forget()
        self.wait()
        self.system.services.valkey.start()
        self.system.note_valkey()
        return 1


class EmptyBroker(RestartBroker):
    """Every message is lost at once."""

    forgets = True


class FreezeChild(Fault):
    """One child stands still for longer than its lease, then goes on as if nothing were."""

    def inject(self) -> int:
        children = self.system.supervisor.children(self.target)
        if not children:
            return 0
        child = self.random().choice(children)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGSTOP)
        self.wait()
        # By then its parent may have ended it for running too long.
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGCONT)
        return 1


class FreezeProgram(Fault):
    """A program stands still; a second one of a worker takes over its sagas meanwhile."""

    def inject(self) -> int:
        second = self.system.second(self.target) if self.target in WORKERS else None
        if second is not None:
            self.system.supervisor.start(second)
            self.system.supervisor.wait_ready(second.name, timeout=_UP_SECONDS)
        self.system.supervisor.freeze(self.target)
        self.wait()
        self.system.supervisor.thaw(self.target)
        if second is not None:
            self.system.supervisor.stop(second.name)
        return 1


class LinkTrouble(Fault):
    """A link is in trouble for a while."""

    def inject(self) -> int:
        trouble = _TROUBLES[self.planned.kind]
        self.system.controls.change(self.target, State(trouble=trouble, amount=self.planned.amount))
        self.wait()
        self.system.controls.heal(self.target)
        return 1


class DuplicateMessages(Fault):
    """Messages come twice."""

    def inject(self) -> int:
        return messages.duplicate(self.system.broker(), seconds=self.planned.seconds)


class DropMessages(Fault):
    """Messages are lost on their way, and what workers hold is forgotten by the broker."""

    def inject(self) -> int:
        return messages.drop(self.system.broker(), seconds=self.planned.seconds)


class ReorderMessages(Fault):
    """Messages are held up and come in another order."""

    def inject(self) -> int:
        return messages.reorder(self.system.broker(), seconds=self.planned.seconds)


class Skew(Fault):
    """A program runs with a wrong clock."""

    def inject(self) -> int:
        right = self.system.program(self.target)
        python, _, module, *arguments = right.command
        wrong = [
            python, "-m", "tooling.soak.skewed", str(self.planned.amount), module, *arguments
        ]  # fmt: skip
        for program in (replace(right, command=wrong), right):
            self.system.supervisor.stop(self.target)
            self.system.supervisor.start(program)
            self.system.supervisor.wait_ready(self.target, timeout=_UP_SECONDS)
            if program is not right:
                self.wait()
        return 1


class SecondBeat(Fault):
    """Two beats send every tick twice."""

    def inject(self) -> int:
        second = self.system.second(BEAT)
        self.system.supervisor.start(second)
        self.wait()
        self.system.supervisor.stop(second.name)
        return 1


_TROUBLES = {
    Kind.REFUSE: Trouble.REFUSE,
    Kind.CUT: Trouble.CUT,
    Kind.SILENCE: Trouble.SILENCE,
    Kind.ONE_WAY: Trouble.ONE_WAY,
    Kind.DELAY: Trouble.DELAY,
    Kind.THROTTLE: Trouble.THROTTLE,
}
FAULTS: Mapping[Kind, type[Fault]] = {
    Kind.KILL_CHILD: KillChild,
    Kind.KILL_PROGRAM: KillProgram,
    Kind.KILL_BROKER: KillBroker,
    Kind.KILL_POSTGRES: KillPostgres,
    Kind.RESTART_PROGRAM: RestartProgram,
    Kind.RESTART_BROKER: RestartBroker,
    Kind.EMPTY_BROKER: EmptyBroker,
    Kind.FREEZE_CHILD: FreezeChild,
    Kind.FREEZE_PROGRAM: FreezeProgram,
    **dict.fromkeys(_TROUBLES, LinkTrouble),
    Kind.DUPLICATE: DuplicateMessages,
    Kind.DROP: DropMessages,
    Kind.REORDER: ReorderMessages,
    Kind.SKEW: Skew,
    Kind.SECOND_BEAT: SecondBeat,
}
