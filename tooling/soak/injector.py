"""Carries the plan out, and writes down what was done to whom and when."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from tooling.fakepay.journal import Journal
from tooling.soak import messages
from tooling.soak.books import Books, Unreadable
from tooling.soak.faults import FAULTS
from tooling.soak.plan import LINKS, Planned
from tooling.soak.recovering import Kill
from tooling.soak.system import System

#: Faults that may be on at the same time.
_AT_ONCE = 4
_LOOK_EVERY = 0.1


@dataclass
class Injected:
    """A fault that was carried out; moments are wall-clock seconds, ``hit`` counts its victims."""

    planned: Planned
    began: float
    ended: float = 0.0
    hit: int = 0
    error: str = ""


@dataclass
class Injector:
    """Injects each fault of a plan when it is due.

    Args:
        system: what is broken.
        books: where the control plane is read, past the proxies.
        journal: what was done, for whoever has to understand a failing seed.
        accepted: how many checkouts were accepted so far.
    """

    system: System
    books: Books
    journal: Journal
    accepted: Callable[[], int]
    injected: list[Injected] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    _slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_AT_ONCE))
    _stopped: threading.Event = field(default_factory=threading.Event)

    def run(self, plan: Iterable[Planned]) -> None:
        """Inject until ``stop``; return when the last fault is over and everything is mended.

        What is due by then is still injected: checkouts may have come faster than faults are over.
        """
        threads = []
        for planned in plan:
            while self.accepted() < planned.after and not self._stopped.wait(_LOOK_EVERY):
                pass
            if self.accepted() < planned.after:
                break
            self._slots.acquire()
            thread = threading.Thread(target=self._inject, args=(planned,), daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
        for link in LINKS:
            self.system.controls.heal(link)
        self.system.supervisor.wait_ready(timeout=90)

    def stop(self) -> None:
        """Begin no more faults than are due."""
        self._stopped.set()

    @property
    def failed(self) -> Sequence[Injected]:
        """The faults that could not be carried out."""
        return [one for one in self.injected if one.error]

    def _inject(self, planned: Planned) -> None:
        try:
            with self.system.target(planned.target):
                done = Injected(planned, time.time())
                self.injected.append(done)
                self.journal.append("begins", fault=str(planned), number=planned.number)
                fault = FAULTS[planned.kind](planned, self.system, self._note_kill)
                try:
                    done.hit = fault.inject()
                except Exception as error:  # noqa: BLE001  (reported, and fails the run)
                    done.error = f"{type(error).__name__}: {error}"
                done.ended = time.time()
                self.journal.append("ends", number=planned.number, hit=done.hit, error=done.error)
        finally:
            self._slots.release()

    def _note_kill(self, planned: Planned) -> None:
        """Write down which sagas the killed process held: claimed, or with a message in hand."""
        at = time.time()
        queues = self.system.queues_of(planned.target)
        try:
            held = {
                message.saga_id: message.epoch
                for message in messages.in_hand(self.system.broker())
                if message.queue in queues
            }
            held |= self.books.claimed(queues)
        except (Unreadable, RedisError):
            # Another fault has the database or the broker down: nobody can say whom this one hit.
            return
        self.kills.append(Kill(number=planned.number, at=at, held=held))
        by_name = {str(saga_id): epoch for saga_id, epoch in held.items()}
        self.journal.append("killed", number=planned.number, held=by_name)
