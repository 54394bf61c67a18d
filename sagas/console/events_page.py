"""Events at a glance: what waits to be told, what could not be handled, who hears of what."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sagas.events import keeping, registry


def events_page(request: HttpRequest, *, context: dict[str, Any]) -> HttpResponse:
    """Show the backlog of each domain, and the consumers of each type of event."""
    hears = [(kind, registry.consumers_of(kind)) for kind in registry.types()]
    shown = {"title": "Events", "backlogs": keeping.backlogs(), "hears": hears}
    return render(request, "console/events.html", {**context, **shown})
