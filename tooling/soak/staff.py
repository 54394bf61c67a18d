"""The operator of the soak: turns some complete checkouts back, retries what waits for a person."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import DatabaseError, connections

from sagas import verbs
from sagas.mandates import Mandate
from sagas.operations import NotNow
from tooling.soak.books import Books, Unreadable

_EVERY = 3.0
_REASON = "soak"


@dataclass
class Staff:
    """An operator who works while things break, with the verbs that the console offers.

    ``chosen`` tells the idempotency keys of the checkouts that are to be turned back.
    """

    books: Books
    chosen: Callable[[], Sequence[str]]
    turned_back: set[UUID] = field(default_factory=set)
    retried: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Turn back what was chosen as soon as it is complete, until ``stop``."""
        while not self._stopped.wait(_EVERY):
            self.turn_back()

    def stop(self) -> None:
        """Go home."""
        self._stopped.set()

    def turn_back(self) -> None:
        """Compensate, past the pivot, what was chosen for it and is complete by now."""
        try:
            complete = self.books.complete_among(self.chosen())
        except Unreadable:
            return
        for saga_id in complete:
            if saga_id not in self.turned_back and self._compensate(saga_id):
                self.turned_back.add(saga_id)

    def retry(self, saga_ids: Sequence[UUID]) -> None:
        """Let each of these try again now."""
        for saga_id in saga_ids:
            try:
                verbs.retry(saga_id, mandate=Mandate(operator=None, reason=_REASON))
                self.retried += 1
            except NotNow:
                continue  # it moved on meanwhile, which is all that is wanted

    def _compensate(self, saga_id: UUID) -> bool:
        mandate = Mandate(operator=None, reason=_REASON)
        try:
            verbs.compensate(saga_id, mandate=mandate, past_pivot=True)
        except NotNow:
            return True  # somebody was faster
        except DatabaseError:
            # The control plane is away. Whether it was done shows in the next round.
            connections.close_all()
            return False
        return True
