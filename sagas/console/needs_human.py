"""The queue of work: what waits for a person, by the money at risk."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Case, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from sagas import journal, registry
from sagas.console.listing import facts_of
from sagas.evidence import Facts
from sagas.models import DATABASE, FAILED, Assignment, OperatorAction, Parked, Saga
from sagas.stuck import standing_of

_PAGE = 50


@dataclass(frozen=True, kw_only=True)
class Task:
    """One saga that waits for a person."""

    saga: Saga
    why: str
    facts: Facts
    since: datetime
    is_overdue: bool
    at_risk: bool
    holder: str
    note: str


def waiting_for_people() -> QuerySet[Saga]:
    """Return the sagas that wait for a person, by money at risk; paused ones are left out.

    The condition is that of the index ``sagas_needs_a_human``.
    """
    needs = Q(state=FAILED) | ~Q(parked="")
    note = OperatorAction.objects.using(DATABASE).filter(saga=OuterRef("pk"), verb="note")
    return (
        journal.sagas_now()
        .filter(needs)
        .exclude(parked=Parked.PAUSED)
        .annotate(
            at_risk=Case(
                When(charged_and_not_undone(), then="amount"),
                default=Value(0),
                output_field=IntegerField(),
            ),
            last_note=Subquery(note.order_by("-id").values("reason")[:1]),
        )
        .order_by("-at_risk", "parked_at", "updated_at")
    )


def charged_and_not_undone() -> Q:
    """Return the condition of the sagas whose charge was saved and not given back."""
    condition = Q(pk__in=[])
    for each in registry.definitions():
        if each.charge:
            takes, gives_back = each.charge
            charged = Q(kind=each.kind, results__has_key=takes.name)
            condition |= charged & ~Q(undone__has_key=gives_back.name)
    return condition


def needs_a_human(request: HttpRequest, *, context: dict[str, Any]) -> HttpResponse:
    """Show the queue, and below it what operators have paused."""
    page = Paginator(waiting_for_people(), _PAGE).get_page(request.GET.get("p"))
    paused = journal.sagas_now().filter(parked=Parked.PAUSED).order_by("parked_at")[:_PAGE]
    shown = {
        "title": "Needs a human",
        "page": page,
        "tasks": _tasks(list(page.object_list)),
        "paused": _tasks(list(paused)),
        "hours": settings.CONSOLE_SLA_HOURS,
    }
    return render(request, "console/needs_human.html", {**context, **shown})


def _tasks(sagas: list[Saga]) -> list[Task]:
    facts = facts_of(sagas)
    held = Assignment.objects.using(DATABASE).filter(saga__in=[saga.pk for saga in sagas])
    holders: dict[UUID, str] = dict(held.values_list("saga_id", "operator__username"))
    late = timezone.now() - timedelta(hours=settings.CONSOLE_SLA_HOURS)
    return [
        Task(
            saga=saga,
            why=standing_of(saga).words,
            facts=facts.get(saga.pk, Facts()),
            since=saga.parked_at or saga.updated_at,
            is_overdue=(saga.parked_at or saga.updated_at) < late,
            at_risk=bool(getattr(saga, "at_risk", 0)),
            holder=holders.get(saga.pk, ""),
            note=getattr(saga, "last_note", "") or "",
        )
        for saga in sagas
    ]
