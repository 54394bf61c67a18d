"""Staging chaos: make chosen checkouts go wrong on purpose, and watch them made good."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from sagas import disturbances
from sagas.console.chaos_plan import Confirmed, Staging, forecast
from sagas.console.verb_view import address_of, operator_of
from sagas.models import DATABASE, Disturbance, DisturbedAttempt, Fault, Saga, StepRun

_PERMISSION = "sagas.disturb_saga"
#: Disturbances that the page shows, the newest first.
_SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class Row:
    """One disturbance as the page shows it."""

    plan: Disturbance
    is_active: bool
    hit: Sequence[Saga]

    @property
    def words(self) -> str:
        """How it stands, and until when."""
        if self.is_active:
            return "active"
        if self.plan.stopped_at:
            return "stopped"
        return "used up" if self.plan.hits == self.plan.most_sagas * self.plan.attempts else "over"


@dataclass(frozen=True, kw_only=True)
class Staged:
    """What is staged for one saga, and which of its attempts were disturbed."""

    waiting: Sequence[Disturbance]
    attempts: frozenset[int]


def is_offered(request: HttpRequest) -> bool:
    """Tell whether the sidebar offers the page."""
    return settings.STAGING_CHAOS and request.user.has_perm("sagas.view_saga")


def chaos_page(request: HttpRequest, *, context: dict[str, Any]) -> HttpResponse:
    """Show what is staged and what it hit; ``?saga=`` fills the form in for that saga."""
    _must_be_on()
    if request.GET.get("part"):
        return render(request, "console/_chaos.html", {"rows": _rows()})
    return _show(request, context, Staging(initial={"saga": request.GET.get("saga", "")}))


def chaos_plan_page(request: HttpRequest, *, context: dict[str, Any]) -> HttpResponse:
    """Show what a plan will do; POST stages it."""
    _must_be_on()
    if not request.user.has_perm(_PERMISSION):
        raise PermissionDenied
    if request.method == "POST":
        form: Staging = Confirmed(request.POST)
        if form.is_valid():
            return _stage(request, form)
    else:
        form = Staging(request.GET)
        if form.is_valid():
            return _ask(request, context, form, Confirmed(initial=request.GET.dict()))
    if list(form.errors) == ["reason"]:
        return _ask(request, context, form, form)
    return _show(request, context, form, status=HTTPStatus.BAD_REQUEST)


def chaos_stop_page(
    request: HttpRequest, disturbance_id: int, *, context: dict[str, Any]
) -> HttpResponse:
    """Ask whether a disturbance is to end; POST ends it."""
    _must_be_on()
    if not request.user.has_perm(_PERMISSION):
        raise PermissionDenied
    row = Disturbance.objects.using(DATABASE).filter(pk=disturbance_id).first()
    if row is None:
        raise Http404
    if request.method == "POST":
        stopped = disturbances.stop(disturbance_id, operator=operator_of(request))
        words = "no more of it happens" if stopped else "it was over already"
        messages.success(request, f"{str(row).capitalize()}: {words}.")
        return HttpResponseRedirect(reverse("admin:sagas_chaos"))
    shown = {"title": "Stop a staged fault", "row": row}
    return render(request, "console/chaos_stop.html", {**context, **shown})


def staged_for(saga: Saga, runs: Sequence[StepRun]) -> Staged | None:
    """Return what was staged for ``saga``, and which of ``runs`` were disturbed.

    Returns:
        None where no faults may be staged.
    """
    if not settings.STAGING_CHAOS:
        return None
    disturbed = DisturbedAttempt.objects.using(DATABASE).filter(saga=saga)
    keys = set(
        disturbed.values_list("disturbance__step", "disturbance__direction", "epoch", "attempt")
    )
    return Staged(
        waiting=list(disturbances.active().filter(saga=saga).select_related("operator")),
        attempts=frozenset(
            run.pk for run in runs if (run.step, run.direction, run.epoch, run.attempt) in keys
        ),
    )


def _must_be_on() -> None:
    if not settings.STAGING_CHAOS:
        raise Http404


def _show(
    request: HttpRequest, context: dict[str, Any], form: Staging, status: int = HTTPStatus.OK
) -> HttpResponse:
    shown = {
        "title": "Staging chaos",
        "form": form,
        "rows": _rows(),
        "may": request.user.has_perm(_PERMISSION),
    }
    return render(request, "console/chaos.html", {**context, **shown}, status=status)


def _ask(
    request: HttpRequest, context: dict[str, Any], told: Staging, form: Staging
) -> HttpResponse:
    shown = {
        "title": "Stage a fault",
        "form": form,
        "part": dict(told.fields["part"].choices)[told.cleaned_data["part"]],  # type: ignore[attr-defined]
        "fault": Fault(told.cleaned_data["fault"]).label,
        "plan": told.plan,
        "forecast": forecast(told.plan),
    }
    return render(request, "console/chaos_plan.html", {**context, **shown})


def _stage(request: HttpRequest, form: Staging) -> HttpResponse:
    row = disturbances.plan(
        form.plan,
        operator=operator_of(request),
        reason=form.cleaned_data["reason"],
        address=address_of(request),
    )
    messages.success(request, f"Staged: {row}.")
    if row.saga_id:
        return HttpResponseRedirect(reverse("admin:sagas_saga_change", args=[row.saga_id]))
    return HttpResponseRedirect(reverse("admin:sagas_chaos"))


def _rows() -> Sequence[Row]:
    attempts = DisturbedAttempt.objects.using(DATABASE).select_related("saga")
    plans = (
        Disturbance.objects.using(DATABASE)
        .select_related("operator", "stopped_by")
        .prefetch_related(Prefetch("disturbed_attempts", queryset=attempts))[:_SHOWN]
    )
    active = set(disturbances.active().values_list("pk", flat=True))
    return [
        Row(
            plan=each,
            is_active=each.pk in active,
            hit=list({hit.saga_id: hit.saga for hit in each.disturbed_attempts.all()}.values()),
        )
        for each in plans
    ]
