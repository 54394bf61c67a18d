"""The audit by the clock, and on a person's word: one run at a time, with an end."""

from datetime import timedelta
from typing import Any

import structlog
from celery import current_app, shared_task

from sagas.audit import runs
from sagas.audit.runs import Scope
from sagas.cutoff import may_be_cut_off
from sagas.participant import crash
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
@shared_task(name="sagas.audit", acks_late=False, soft_time_limit=_SOFT, time_limit=_HARD)
def audit(*, everything: bool = False, **_: Any) -> None:
    """Look at what changed since the last run, or at everything, unless another run is at it."""
    if runs.is_running(within=_HARD):
        log.info("audit_runs_already")
        return
    scope = Scope.EVERYTHING if everything else Scope.CHANGED
    with may_be_cut_off():
        runs.run(scope, ledger=_LEDGER, seconds=LONGEST)


def ask_for_a_run() -> bool:
    """Have a worker look at what changed; False if the broker is away."""
    try:
        with crash.calling("sagas.ask_for_audit"):
            current_app.send_task(audit.name, queue=QUEUE)
    except BROKER_ERRORS as error:
        log.warning("audit_not_asked_for", error=type(error).__name__)
        return False
    return True
