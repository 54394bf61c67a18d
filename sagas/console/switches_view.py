"""Switches: hold a step, or the intake of new checkouts, back, and let it go on again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from sagas import registry, switches
from sagas.console.verb_view import address_of, operator_of
from sagas.models import DATABASE, Switch, SwitchLog

_PERMISSION = "sagas.change_switch"


@dataclass(frozen=True, kw_only=True)
class Lever:
    """One thing that can be held back, and the row that holds it back now."""

    name: str
    words: str
    closed: Switch | None


def levers() -> Sequence[Lever]:
    """Return everything that can be held back: the intake of each kind, and each forward step."""
    closed = {switch.name: switch for switch in switches.closed()}
    names = []
    for kind in settings.SAGAS:
        names.append((switches.intake_of(kind), f"New {kind}s"))
        steps = [
            step for each in registry.definitions() if each.kind == kind for step in each.steps
        ]
        for name in dict.fromkeys(step.name for step in steps):
            names.append((switches.step_of(kind, name), f"Step {name} of {kind}"))
    return [Lever(name=name, words=words, closed=closed.get(name)) for name, words in names]


def held_words() -> list[str]:
    """Return what the label on every admin page says of what is held back; empty if nothing is."""
    held = switches.closed()
    if not held:
        return []
    if len(held) > 1:
        return [f"Held back: {len(held)}"]
    names = {lever.name: lever.words for lever in levers()}
    return [f"Held back: {names.get(held[0].name, held[0].name)}"]


def switches_page(request: HttpRequest, *, context: dict[str, Any]) -> HttpResponse:
    """Show every lever; POST moves one of them."""
    if request.method == "POST":
        if not request.user.has_perm(_PERMISSION):
            raise PermissionDenied
        _move(request)
        return HttpResponseRedirect(reverse("admin:sagas_saga_switches"))
    log = SwitchLog.objects.using(DATABASE).select_related("operator")[:50]
    shown = {
        "title": "Hold back",
        "levers": levers(),
        "log": log,
        "may": request.user.has_perm(_PERMISSION),
    }
    return render(request, "console/switches.html", {**context, **shown})


def _move(request: HttpRequest) -> None:
    name, reason = request.POST.get("name", ""), request.POST.get("reason", "").strip()[:500]
    lever = next((lever for lever in levers() if lever.name == name), None)
    if lever is None:
        messages.error(request, "Not done: there is no such switch.")
    elif request.POST.get("do") == "open":
        opened = switches.open_again(
            name, operator=operator_of(request), reason=reason, address=address_of(request)
        )
        words = "goes on" if opened else "was not held back"
        messages.success(request, f"{lever.words}: {words}.")
    elif not reason:
        messages.error(request, "Not done: say why it is held back.")
    else:
        closed = switches.close(
            name, operator=operator_of(request), reason=reason, address=address_of(request)
        )
        words = "held back" if closed else "was held back already"
        messages.success(request, f"{lever.words}: {words}.")
