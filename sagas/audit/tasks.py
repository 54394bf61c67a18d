"""The audit by the clock, and on a person's word: one run at a time, with an end."""

from datetime import timedelta
from typing import Any

import structlog
from celery import current_app, shared_task

from sagas.audit import runs
from sagas.audit.runs import Scope
from sagas.audit.windows import Window, window_of
from sagas.cutoff import may_take
from sagas.models import DATABASE
from sagas.participant import crash
from sagas.participant.among import clock
from sagas.tasks import BROKER_ERRORS

log = structlog.get_logger(__name__)

#: Its own queue: it takes its time, and may hold up neither recovery nor an undo.
QUEUE = "audit"
#: Seconds that a run may take; what it does not come to is left to the next.
LONGEST = 600
#: How far back the daily run reads the provider's ledger: it comes in pages of a hundred. Whoever
#: wants all of it calls ``manage.py audit --all``.
_LEDGER = timedelta(days=7)
#: A run that hangs in a call is ended by its worker.
_SOFT, _HARD = LONGEST + 60, LONGEST + 120


# Acknowledged first: a broker that gives a long run to a second worker would double it, and a
# run that is lost is made up for by the next.
@shared_task(name="sagas.audit", acks_late=False, time_limit=_HARD)
def audit(*, everything: bool = False, **_: Any) -> None:
    """Look at what changed since the last run, or at everything, unless another run is at it."""
    if runs.is_running(within=_HARD):
        log.info("audit_runs_already")
        return
    scope = Scope.EVERYTHING if everything else Scope.CHANGED
    with may_take(_SOFT):
        runs.run(scope, ledger=_LEDGER, seconds=LONGEST)


@shared_task(name="sagas.reconcile", acks_late=False, time_limit=_HARD)
def reconcile(*, since: str = "", until: str = "", **_: Any) -> None:
    """Compare the provider's charges of a window with our payments, unless another run is at it.

    Args:
        since, until: ISO 8601; without both, the window that is due.
    """
    if runs.is_running(within=_HARD, scopes=[Scope.LEDGER]):
        log.info("reconciliation_runs_already")
        return
    window = window_of(since, until, now=clock(DATABASE))
    with may_take(_SOFT):
        runs.run(Scope.LEDGER, window=window, seconds=LONGEST)


def ask_to_reconcile(window: Window) -> bool:
    """Have a worker compare the charges of a window; False if the broker is away."""
    named = {"since": window.since.isoformat(), "until": window.until.isoformat()}
    try:
        with crash.calling("sagas.ask_to_reconcile"):
            # The window that is due is worked out when a worker comes to it.
            current_app.send_task(
                reconcile.name, kwargs={} if window.in_a_row else named, queue=QUEUE
            )
    except BROKER_ERRORS as error:
        log.warning("reconciliation_not_asked_for", error=type(error).__name__)
        return False
    return True


def ask_for_a_run() -> bool:
    """Have a worker look at what changed; False if the broker is away."""
    try:
        with crash.calling("sagas.ask_for_audit"):
            current_app.send_task(audit.name, queue=QUEUE)
    except BROKER_ERRORS as error:
        log.warning("audit_not_asked_for", error=type(error).__name__)
        return False
    return True
