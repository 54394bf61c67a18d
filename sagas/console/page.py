"""The saga page: what it holds, where it stands, what happened, and what can be done."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString, mark_safe

from sagas import switches
from sagas.console.actions import Offer, offers
from sagas.console.chaos_view import Staged, staged_for
from sagas.console.preview import read, verdict_of
from sagas.diagram import draw, marks_of
from sagas.evidence import Verdict
from sagas.models import DATABASE, Approval, Assignment, OperatorAction, Saga, StepRun, Switch
from sagas.registry import UnknownDefinition
from sagas.stuck import Standing, standing_of

#: Attempts that the page shows; the newest are the ones that matter.
_MOST_RUNS = 300
#: Sagas that follow another one, or are followed, that its page links to.
_MOST_RELATED = 50
#: Seconds between two looks while the saga still moves.
_LOOK_AGAIN = 5


@dataclass(frozen=True, kw_only=True)
class SagaPage:
    """Everything that the page shows of one saga."""

    saga: Saga
    standing: Standing
    verdict: Verdict
    graph: SafeString
    runs: Sequence[StepRun]
    actions: Sequence[OperatorAction]
    offers: Sequence[Offer]
    assignment: Assignment | None
    approvals: Sequence[Approval]
    held_back: Sequence[Switch]
    related: Sequence[Saga]
    staged: Staged | None
    version_is_known: bool
    data: str

    @property
    def look_again(self) -> int:
        """Seconds until the page looks again; 0 when nothing moves any more."""
        return _LOOK_AGAIN if self.saga.due_at is not None and not self.saga.parked else 0

    @property
    def progress(self) -> str:
        """How far it went forward, such as "3 of 5"."""
        if not self.version_is_known:
            return "unknown"
        states = self.saga.definition.states
        forward = self.saga.state if self.saga.state in states else self.saga.reached
        return f"{states.index(forward)} of {len(states) - 1}"


def saga_page(request: HttpRequest, saga_id: UUID, *, context: dict[str, Any]) -> HttpResponse:
    """Show one saga; ``?part=1`` returns what changes while it moves."""
    try:
        page = page_of(read(saga_id), request)
    except Saga.DoesNotExist:
        raise Http404 from None
    template = "console/_saga.html" if request.GET.get("part") else "console/saga.html"
    title = page.verdict.order_number or f"{page.saga.kind} {str(page.saga.pk)[:8]}"
    return render(request, template, {**context, "title": title, "page": page})


def page_of(saga: Saga, request: HttpRequest) -> SagaPage:
    """Read everything of ``saga`` that ``request``'s user may see."""
    verdict, runs = verdict_of(saga), _runs(saga)
    try:
        graph = mark_safe(draw(saga.definition, marks_of(saga), styled=False))  # noqa: S308
        offered, known = offers(saga, verdict, request.user), True
    except UnknownDefinition:
        graph, offered, known = SafeString(), [], False
    return SagaPage(
        saga=saga,
        standing=standing_of(saga),
        verdict=verdict,
        graph=graph,
        runs=runs,
        actions=_actions(saga),
        offers=offered,
        assignment=Assignment.objects.using(DATABASE)
        .select_related("operator")
        .filter(saga=saga)
        .first(),
        approvals=_approvals(saga),
        held_back=[each for each in switches.closed() if _concerns(each, saga)],
        related=_related(saga),
        staged=staged_for(saga, runs),
        version_is_known=known,
        data=_data(saga, request),
    )


def _runs(saga: Saga) -> list[StepRun]:
    newest = StepRun.objects.using(DATABASE).filter(saga=saga).order_by("-id")[:_MOST_RUNS]
    return list(newest)


def _actions(saga: Saga) -> list[OperatorAction]:
    rows = OperatorAction.objects.using(DATABASE).filter(saga=saga)
    return list(rows.select_related("operator", "outcome").order_by("-id"))


def _related(saga: Saga) -> list[Saga]:
    """Return the saga that it follows, and those that follow it."""
    related = Q(follows=saga.pk) | Q(pk=saga.follows)
    return list(Saga.objects.using(DATABASE).filter(related).order_by("created_at")[:_MOST_RELATED])


def _approvals(saga: Saga) -> list[Approval]:
    rows = Approval.objects.using(DATABASE).filter(saga=saga, approved_by=None)
    return list(rows.select_related("requested_by").order_by("requested_at"))


def _concerns(switch: Switch, saga: Saga) -> bool:
    return switch.name.startswith(f"step:{saga.kind}:")


def _data(saga: Saga, request: HttpRequest) -> str:
    """Return input and results, for those who may resolve and have asked to see them."""
    if not request.GET.get("data") or not request.user.has_perm("sagas.resolve_saga"):
        return ""
    shown = {"input": saga.input, "results": saga.results, "undone": saga.undone}
    return json.dumps(shown, indent=2, sort_keys=True)
