"""Negative controls: with one guard taken away, the model finds a run that breaks a law.

Each says in its docstring what is gone.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import initialize, run_state_machine_as_test

from sagas import executor, statements
from sagas.models import Saga
from sagas.participant import receipts
from tests.model.machine import Checkouts
from tests.model.profiles import BRIEF
from tests.model.shop import Shop

pytestmark = [
    pytest.mark.django_db(databases="__all__", transaction=True),
    pytest.mark.timeout(0),
]


class WithALateCapture(Checkouts):
    """In each run one charge is declined, and captured all the same once it was cancelled."""

    @initialize()
    def open_with_a_late_capture(self) -> None:
        self._place([0], "tok_success_after_decline_3600", None)


def _finds(words: str, open_shop: Callable[[], Shop], machine: type[Checkouts] = Checkouts) -> None:
    machine.open_shop = staticmethod(open_shop)
    with pytest.raises(AssertionError, match=words):
        run_state_machine_as_test(machine, settings=settings(BRIEF, phases=[Phase.generate]))


def test_a_message_of_an_older_dispatch_is_not_stale(
    open_shop: Callable[[], Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gone: the epoch that a message carries."""
    is_stale = executor._is_stale

    def without_epoch(saga: Saga, attempt: executor.Attempt) -> bool:
        return is_stale(saga, replace(attempt, epoch=saga.epoch))

    monkeypatch.setattr(executor, "_is_stale", without_epoch)
    _finds("a stale message changed a saga", open_shop)


def test_a_save_hits_whatever_is_there(
    open_shop: Callable[[], Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gone: epoch, state and revision in the counted UPDATE."""
    fence = statements.AS_SEEN
    for name, sql in list(vars(statements).items()):
        if isinstance(sql, str) and fence in sql:
            monkeypatch.setattr(statements, name, sql.replace(fence, "id = %(id)s"))
    _finds("an epoch falls|saved as done twice|no way leads", open_shop)


def test_an_undo_that_comes_first_forbids_nothing(
    open_shop: Callable[[], Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gone: the tombstone."""
    write = receipts._write

    def without_tombstone(
        model: Any, using: str, saga_id: UUID, step: str, *, done: bool, **more: Any
    ) -> tuple[Any, bool]:
        there = receipts.find_receipt(model, using=using, saga_id=saga_id, step=step)
        if not done and there is None:
            return model(id=uuid4(), saga_id=saga_id, step=step), True
        return write(model, using, saga_id, step, done=done, **more)

    monkeypatch.setattr(receipts, "_write", without_tombstone)
    _finds("stock is held|order stands|confirmed and undone", open_shop)


def test_nobody_looks_for_late_successes(
    open_shop: Callable[[], Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gone: the sweep."""

    def nothing(*, limit: int) -> Sequence[UUID]:
        return []

    monkeypatch.setattr("payments.late.claim", nothing)
    _finds("and the bank keeps", open_shop, WithALateCapture)
