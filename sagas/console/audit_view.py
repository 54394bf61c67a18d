"""The audit in the console: what it found, its last runs, and buttons to have it run now."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from sagas.audit import findings, runs, tasks
from sagas.auditor import Mend
from sagas.console.actions import VERBS
from sagas.console.reconciliation_view import reconcile, reconciliation
from sagas.models import DATABASE, AuditRun, Finding
from sagas.participant.paging import BoundedPaginator

_SEE, _RUN = "sagas.view_finding", "sagas.run_audit"
_PAGE, _RUNS = 50, 15


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The audit in a few words, for the dashboard."""

    last: AuditRun | None
    violations: int
    waiting: int

    @property
    def words(self) -> str:
        """What it came to."""
        if self.violations:
            return f"{self.violations:,} violation{'' if self.violations == 1 else 's'}"
        if self.last is None:
            return "never ran"
        return "incomplete" if self.last.not_looked_at else "clean"

    @property
    def is_bad(self) -> bool:
        """Whether somebody should look."""
        return bool(self.violations)

    @property
    def alarm(self) -> str:
        """What to look at, in a sentence; empty if nothing."""
        return f"The audit found {self.words}." if self.violations else ""


def summary() -> Summary:
    """Return what the audit knows by now."""
    violations, waiting = findings.counts()
    return Summary(last=runs.last_run(), violations=violations, waiting=waiting)


def audit_page(request: HttpRequest, *, context: dict[str, Any]) -> HttpResponse:
    """Show what is open, the most money first, and the last runs.

    POST has it run now, or the provider's charges of a window reconciled.
    """
    if not request.user.has_perm(_SEE):
        raise PermissionDenied
    fault = ""
    if request.method == "POST":
        if not request.user.has_perm(_RUN):
            raise PermissionDenied
        fault = reconcile(request) if request.POST.get("do") == "reconcile" else _run_now(request)
        if not fault:
            return HttpResponseRedirect(reverse("admin:sagas_saga_audit"))
    page = BoundedPaginator(findings.open_findings(), _PAGE).get_page(request.GET.get("p"))
    shown = {
        "title": "Audit",
        "summary": summary(),
        "page": page,
        "found": [_line(finding) for finding in page.object_list],
        "runs": AuditRun.objects.using(DATABASE).exclude(scope=AuditRun.Scope.LEDGER)[:_RUNS],
        "reconciliation": reconciliation(request, fault),
        "may": request.user.has_perm(_RUN),
    }
    status = HTTPStatus.BAD_REQUEST if fault else HTTPStatus.OK
    return render(request, "console/audit.html", {**context, **shown}, status=status)


def _run_now(request: HttpRequest) -> str:
    if runs.is_running(within=tasks.LONGEST):
        messages.info(request, "An audit is under way; look again in a moment.")
    elif tasks.ask_for_a_run():
        messages.success(request, "Asked for. What it finds is here as soon as it has ended.")
    else:
        messages.error(request, "Not done: the broker does not answer.")
    return ""


def _line(finding: Finding) -> tuple[Finding, str]:
    """Return a finding, and the label of the link to what mends it."""
    mend = Mend(finding.mend)
    if mend.is_verb:
        return finding, VERBS[mend.value].label
    return finding, "Look at it" if mend is Mend.BY_HAND else mend.value.capitalize()
