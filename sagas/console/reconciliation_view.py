"""Reconciliation in the console: its last runs, the window that is due, and a form to run one."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest

from sagas.audit import runs, tasks, windows
from sagas.audit.runs import Scope
from sagas.audit.windows import BadWindow, Window, window_of
from sagas.models import DATABASE, AuditRun
from sagas.participant.among import clock

_RUNS = 5


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """What the page shows; ``since``, ``until`` and ``fault`` as the form was sent, if it was."""

    runs: Sequence[AuditRun]
    due: Window
    differences: int
    since: str = ""
    until: str = ""
    fault: str = ""

    @property
    def last(self) -> AuditRun | None:
        """The last run that ended."""
        return next((run for run in self.runs if run.finished_at), None)


def reconciliation(request: HttpRequest, fault: str = "") -> Reconciliation:
    """Read how reconciliation stands.

    Args:
        fault: why the form that was sent is refused.
    """
    rows = AuditRun.objects.using(DATABASE).filter(scope=Scope.LEDGER)
    return Reconciliation(
        runs=list(rows[:_RUNS]),
        due=windows.due(clock(DATABASE)),
        differences=runs.differences().count(),
        since=request.POST.get("since", "")[:40],
        until=request.POST.get("until", "")[:40],
        fault=fault,
    )


def reconcile(request: HttpRequest) -> str:
    """Have a worker reconcile the window that the form names; return why not, in words."""
    since, until = request.POST.get("since", "").strip(), request.POST.get("until", "").strip()
    try:
        window = window_of(
            since, until, now=clock(DATABASE), most=windows.MOST, options=("From", "To")
        )
    except BadWindow as no:
        return f"Not done: {no}."
    if runs.is_running(within=tasks.LONGEST, scopes=[Scope.LEDGER]):
        messages.info(request, "A reconciliation is under way; look again in a moment.")
    elif tasks.ask_to_reconcile(window):
        messages.success(request, "Asked for. What differs is here as soon as it has ended.")
    else:
        messages.error(request, "Not done: the broker does not answer.")
    return ""
