"""The engine's own rules: what holds of every saga, whatever it is about."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from uuid import UUID

from sagas.audit.claims import NEVER_TOLD, Row, Told, falling_epochs
from sagas.audit.profiles import is_at_rest
from sagas.auditor import Fault, Mend, Severity
from sagas.models import COMPENSATING, FAILED, Parked
from sagas.participant.among import SagaKey

#: The sagas themselves, as a source.
SAGAS = "sagas"

#: Why a saga waits for a person -> what that person can do.
_WAITS = {
    Parked.PAUSED: Mend.RESUME,
    Parked.UNKNOWN_VERSION: Mend.BY_HAND,
    Parked.RETRIES_EXHAUSTED: Mend.RETRY,
    Parked.REFUSED_PAST_PIVOT: Mend.RETRY,
}


def row_faults(rows: Mapping[SagaKey, Row]) -> Iterator[Fault]:
    """Yield what is wrong with the rows by themselves, and which ones wait for a person."""
    for row in rows.values():
        for what in row.profile.faults:
            yield _fault(row, "declared-edges", what)
        if row.said.is_doubled:
            yield _fault(row, "one-saga-a-request", "another saga has its idempotency key")
        if row.claim.state == FAILED or row.claim.parked:
            yield _waits(row)
        elif what := _hangs(row):
            yield _fault(row, "nothing-hangs", what, mend=_unhang(row))


def history_faults(rows: Mapping[SagaKey, Row], history: Mapping[SagaKey, Told]) -> Iterator[Fault]:
    """Yield where history does not show what the rows claim."""
    several_epochs = []
    for saga_id, row in rows.items():
        told = history.get(saga_id, NEVER_TOLD)
        profile = row.profile
        if told.done != profile.in_order and sorted((told.done or "").split()) != profile.done:
            what = f"history shows {told.done or 'nothing'} done, not {profile.in_order}"
            yield _fault(row, "history-agrees", what, subject="done")
        if sorted((told.undone or "").split()) != profile.undone:
            what = f"history shows {told.undone or 'nothing'} undone"
            yield _fault(row, "history-agrees", what, subject="undone")
        if told.follow_ups > 1:
            what = f"its shopper was told {told.follow_ups} times"
            yield _fault(row, "history-agrees", what, subject="told")
        if told.last_epoch is not None and told.first_epoch != told.last_epoch:
            several_epochs.append(saga_id)
        if told.last_epoch is not None and told.last_epoch > row.said.epoch:
            what = f"its epoch is {row.said.epoch}, and was {told.last_epoch} in history"
            yield _fault(row, "epoch-never-falls", what)
    for saga_id in falling_epochs(several_epochs) if several_epochs else ():
        yield _fault(rows[saga_id], "epoch-never-falls", "an epoch falls in its history")


def _hangs(row: Row) -> str:
    """Say how a saga is left hanging; empty if it is not."""
    claim = row.claim
    if row.said.is_late:
        return f"it is {claim.state}, and recovery did not take it up in time"
    if row.profile.is_before_pivot and row.said.is_past_deadline:
        return f"it is {claim.state}, and its deadline is long past"
    if not is_at_rest(claim.state) and not row.said.has_time:
        return f"it is {claim.state}, and nobody will ever look at it"
    return ""


def _unhang(row: Row) -> Mend:
    if row.said.has_time:
        return Mend.RETRY
    return Mend.BY_HAND if row.claim.state == COMPENSATING else Mend.COMPENSATE


def _waits(row: Row) -> Fault:
    what, mend = "FAILED: an undo was given up", Mend.RETRY
    if row.claim.parked:
        parked = Parked(row.claim.parked)
        what, mend = f"{row.claim.state}, parked: {parked.label}", _WAITS[parked]
    fault = _fault(row, "waits-for-a-person", what, mend=mend, severity=Severity.WAITS)
    return fault if row.profile.is_at_risk else replace(fault, amount=0)


def _fault(
    row: Row,
    invariant: str,
    what: str,
    *,
    mend: Mend = Mend.BY_HAND,
    severity: Severity = Severity.VIOLATION,
    subject: str = "",
) -> Fault:
    return Fault(
        saga_id=UUID(row.claim.saga_id),
        invariant=invariant,
        what=what,
        sources=(SAGAS,),
        amount=row.claim.amount,
        currency=row.claim.currency,
        severity=severity,
        mend=mend,
        subject=subject,
    )
