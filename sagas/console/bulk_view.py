"""Bulk runs: freeze what was chosen, look at it, begin, watch, stop, come back."""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from sagas import bulk
from sagas.console.actions import VERBS, needs_second_approver, permission_refusal
from sagas.console.verb_view import address_of, operator_of
from sagas.models import DATABASE, BulkItem, BulkRun, Saga
from sagas.operations import NotNow

#: Sagas that the page shows; those that did not end as wanted come first.
_SHOWN = 300


class Order(forms.Form):
    """How a bulk run goes."""

    reason = forms.CharField(
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "off"}),
        help_text="For the operator log of each saga. No names, addresses or card numbers.",
    )
    per_second = forms.IntegerField(
        min_value=1, max_value=50, initial=5, label="Sagas a second at the most"
    )
    canary = forms.IntegerField(
        min_value=1, max_value=100, initial=3, label="How many first, before the rest may follow"
    )
    max_failures = forms.IntegerField(
        min_value=0, max_value=1000, initial=5, label="Stop when more than this fail"
    )


def freeze(request: HttpRequest, verb: str, saga_ids: Sequence[UUID]) -> HttpResponse:
    """Keep the chosen ids and lead to the page of the run."""
    user = operator_of(request)
    if not (user.has_perm("sagas.bulk_saga") and user.has_perm(VERBS[verb].permission)):  # type: ignore[attr-defined]
        raise PermissionDenied
    try:
        run = bulk.freeze(saga_ids, operator=user, verb=verb, address=address_of(request))
    except NotNow as no:
        messages.error(request, f"Not done: {no}.")
        return HttpResponseRedirect(reverse("admin:sagas_saga_changelist"))
    return HttpResponseRedirect(_page(run))


def bulk_page(request: HttpRequest, run_id: UUID, *, context: dict[str, Any]) -> HttpResponse:
    """Show a run; POST begins or stops it. ``?part=1`` returns what changes while it runs."""
    run = BulkRun.objects.using(DATABASE).select_related("operator").filter(pk=run_id).first()
    if run is None:
        raise Http404
    form = Order(request.POST or None)
    if request.method == "POST":
        if not request.user.has_perms(["sagas.bulk_saga", VERBS[run.verb].permission]):
            raise PermissionDenied
        if "stop" in request.POST:
            bulk.stop(run, why=f"stopped by {request.user.get_username()}")
            return HttpResponseRedirect(_page(run))
        if form.is_valid() and _began(request, run, form):
            return HttpResponseRedirect(_page(run))
    template = "console/_bulk.html" if request.GET.get("part") else "console/bulk.html"
    return render(request, template, {**context, **_shown(run), "form": form})


def bulk_list(request: HttpRequest, *, context: dict[str, Any]) -> HttpResponse:
    """Show the newest runs, to come back to."""
    runs = BulkRun.objects.using(DATABASE).select_related("operator")[:100]
    shown = [(run, bulk.counts_of(run)) for run in runs]
    return render(
        request, "console/bulk_list.html", {**context, "title": "Bulk runs", "runs": shown}
    )


def refusal(verb: str, saga: Saga, operator: Any) -> str:
    """Return why ``operator`` may not do this to this saga within a run."""
    if why_not := permission_refusal(VERBS[verb], saga, operator):
        return why_not
    if needs_second_approver(VERBS[verb], saga):
        return "the amount needs a second operator: act on this saga alone"
    return ""


bulk.ask_before_each(refusal)


def _began(request: HttpRequest, run: BulkRun, form: Order) -> bool:
    if run.operator_id != request.user.pk:
        form.add_error(None, "Somebody else chose these sagas; choose them yourself.")
        return False
    try:
        bulk.begin(run, **form.cleaned_data)
    except NotNow as no:
        messages.error(request, f"Not done: {no}.")
    return True


def _shown(run: BulkRun) -> dict[str, Any]:
    items = BulkItem.objects.using(DATABASE).filter(run=run).select_related("saga")
    counts = bulk.counts_of(run)
    states: Counter[str] = Counter()
    money = (
        items.exclude(saga__currency="")
        .values_list("saga__currency")
        .annotate(total=Sum("saga__amount"))
        .order_by()
    )
    if run.state == BulkRun.State.LOOKED_AT:
        states.update(items.values_list("saga__state", flat=True))
    total = sum(counts.values())
    ended = total - counts["waiting"] - counts["under_way"]
    return {
        "title": f"{VERBS[run.verb].label}: {total:,} sagas",
        "run": run,
        "verb": VERBS[run.verb],
        "counts": [(BulkItem.Outcome(name).label, n, name) for name, n in counts.items()],
        "total": total,
        "ended": ended,
        "money": list(money),
        "states": states.most_common(),
        "items": [
            *items.filter(outcome="failed")[:_SHOWN],
            *items.exclude(outcome="failed")[:_SHOWN],
        ],
        "moves": run.state in bulk.ACTIVE or counts["under_way"] > 0,
    }


def _page(run: BulkRun) -> str:
    return reverse("admin:sagas_saga_bulk", args=[run.pk])
