"""Do an effect once, undo it once, whatever the order and number of the calls.

The receipt is inserted first: its unique key makes a second caller wait until the first
has committed, so that two copies of one message can never both run the effect.
Source: Garcia-Molina and Salem, "Sagas" (1987); empty compensation and hanging as
described for TCC transactions.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from uuid import UUID, uuid4

from django.db import connections
from django.db.models.functions import Now
from psycopg.types.json import Jsonb

from sagas.participant.crash import committing
from sagas.participant.models import AbstractReceipt

Result = Mapping[str, Any]

_INSERT = """
INSERT INTO {table} (id, saga_id, step, done_at, undone_at, result, undo_result)
VALUES (
    %(id)s, %(saga_id)s, %(step)s,
    CASE WHEN %(done)s THEN statement_timestamp() END,
    CASE WHEN %(done)s THEN NULL ELSE statement_timestamp() END,
    %(result)s, '{{}}'
)
ON CONFLICT (saga_id, step) DO NOTHING
"""
_NOTE_RESULT = "UPDATE {table} SET result = %(result)s WHERE id = %(id)s"


class AlreadyCompensated(Exception):
    """The step was undone before it was done; it may never be done any more."""

    code = "already-compensated"


def do_once(
    receipts: type[AbstractReceipt],
    *,
    using: str,
    saga_id: UUID,
    step: str,
    effect: Callable[[], Result],
    point: str = "",
) -> Result:
    """Run ``effect`` and its receipt in one transaction; a repeat returns the first result.

    Args:
        receipts: the domain's receipt model.
        using: the domain's database alias.
        saga_id: whose step this is.
        step: the step's name, unique within the domain.
        point: the commit's name (``sagas.participant.crash``); none in the caller's transaction.
        effect: the change, made of statements on ``using`` only; returns ids and amounts.

    Returns:
        What the effect returned the first time.

    Raises:
        AlreadyCompensated: a tombstone forbids the step.
    """
    with _transaction(point, using):
        receipt, done = _begin(receipts, using, saga_id, step, {})
        if done is not None:
            return done
        result = effect()
        noted = {"id": receipt.pk, "result": Jsonb(dict(result))}
        _execute(_NOTE_RESULT, receipts, using, noted)
        return result


def do_known_once(
    receipts: type[AbstractReceipt],
    *,
    using: str,
    saga_id: UUID,
    step: str,
    result: Result,
    effect: Callable[[], None] = lambda: None,
    point: str = "",
) -> Result:
    """As ``do_once``, for an effect whose result is known before it: one statement less.

    Args:
        result: ids and amounts.
        effect: the change; may be none but the receipt.
    """
    with _transaction(point, using):
        _, done = _begin(receipts, using, saga_id, step, result)
        if done is not None:
            return done
        effect()
        return result


def undo_once(
    receipts: type[AbstractReceipt],
    *,
    using: str,
    saga_id: UUID,
    step: str,
    inverse: Callable[[Result], Result],
    point: str = "",
) -> Result:
    """Run ``inverse`` if the step was done; leave a tombstone in either case.

    Args:
        receipts: the domain's receipt model.
        using: the domain's database alias.
        saga_id: whose step this is.
        step: the step's name, the same as in ``do_once``.
        point: as in ``do_once``.
        inverse: gets the step's result and takes its effect back, on ``using`` only.

    Returns:
        What the inverse returned the first time; ``{}`` if there was nothing to undo.
    """
    with _transaction(point, using):
        receipt, first = _write(receipts, using, saga_id, step, done=False)
        if first:
            return {}
        if receipt.undone_at is not None:
            return dict(receipt.undo_result)
        result = inverse(receipt.result)
        receipts._base_manager.using(using).filter(pk=receipt.pk).update(
            undone_at=Now(), undo_result=dict(result)
        )
        return result


def find_receipt(
    receipts: type[AbstractReceipt], *, using: str, saga_id: UUID, step: str
) -> AbstractReceipt | None:
    """Return the receipt of (saga, step), or None when nothing was ever said of it."""
    return receipts._base_manager.using(using).filter(saga_id=saga_id, step=step).first()


def _begin(
    receipts: type[AbstractReceipt], using: str, saga_id: UUID, step: str, result: Result
) -> tuple[AbstractReceipt, Result | None]:
    """Write the receipt; with the first result if there was one, None if this is the first."""
    receipt, first = _write(receipts, using, saga_id, step, done=True, result=result)
    if first:
        return receipt, None
    if receipt.undone_at is not None:
        raise AlreadyCompensated(f"{step} of {saga_id} was compensated already")
    return receipt, dict(receipt.result)


def _write(
    receipts: type[AbstractReceipt],
    using: str,
    saga_id: UUID,
    step: str,
    *,
    done: bool,
    result: Result | None = None,
) -> tuple[AbstractReceipt, bool]:
    """Insert the receipt, or lock the one that is there; the flag says which."""
    mine = receipts(id=uuid4(), saga_id=saga_id, step=step)
    written = Jsonb(dict(result or {}))
    values = {"id": mine.pk, "saga_id": saga_id, "step": step, "done": done, "result": written}
    # ON CONFLICT DO NOTHING waits for a concurrent writer and does not abort the transaction.
    if _execute(_INSERT, receipts, using, values):
        return mine, True
    manager = receipts._base_manager.using(using)
    return manager.select_for_update().get(saga_id=saga_id, step=step), False


def _execute(
    statement: str, receipts: type[AbstractReceipt], using: str, values: Mapping[str, Any]
) -> int:
    """Run a statement on the receipts' table; return how many rows it wrote."""
    with connections[using].cursor() as cursor:
        cursor.execute(statement.format(table=receipts._meta.db_table), values)
        written: int = cursor.rowcount
    return written


def _transaction(point: str, using: str) -> AbstractContextManager[None]:
    """Open a transaction; without a name for its commit it is the caller's, who has one open."""
    if point:
        return committing(point, using=using)
    if not connections[using].in_atomic_block:
        raise ValueError(f"name the commit on {using!r}")
    return nullcontext()
