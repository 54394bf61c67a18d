"""Tells people that a saga waits for one of them: a CRITICAL log event, with ids only.

settings.LOGGING sends CRITICAL events of ``sagas.alerts`` to ALERT_EMAILS as well.
"""

from collections.abc import Sequence

import structlog

from sagas.models import Finding, Saga, StepRun

log = structlog.get_logger(__name__)


def parked(saga: Saga) -> None:
    """The saga cannot go on by itself, nor back."""
    log.critical("saga_parked", **_where(saga), why=saga.parked, step=saga.error_step)


def undo_failed(saga: Saga, run: StepRun) -> None:
    """One undo is exhausted; the others still run."""
    log.critical(
        "undo_failed", **_where(saga), step=run.step, error=run.error_type, code=run.error_code
    )


def failed(saga: Saga) -> None:
    """The compensation ended with undos that did not happen."""
    log.critical("saga_failed", **_where(saga), not_undone=saga.given_up)


def follow_up_failed(saga: Saga, run: StepRun) -> None:
    """The shopper could not be told; everything else is settled."""
    log.critical("follow_up_failed", **_where(saga), step=run.step, error=run.error_type)


def audit_found(count: int, findings: Sequence[Finding]) -> None:
    """The audit found new violations; ``findings`` are the first of them."""
    log.critical(
        "audit_found_violations",
        count=count,
        findings=[
            {
                "saga_id": str(each.saga_id) if each.saga_id else None,
                "invariant": each.invariant,
                "subject": each.subject,
                "amount": each.amount,
                "currency": each.currency,
            }
            for each in findings
        ],
    )


def _where(saga: Saga) -> dict[str, str]:
    return {"saga_id": str(saga.pk), "kind": saga.kind, "state": saga.state}
