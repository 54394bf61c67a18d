"""The dashboard: what moves, what is stuck, what it costs, and whether the machinery works."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from sagas import switches
from sagas.console import audit_view, charts, figures, workers
from sagas.console.audit_view import Summary
from sagas.console.charts import Chart, Series
from sagas.console.figures import Hour, Stuck
from sagas.console.switches_view import levers
from sagas.console.workers import Crew, Pulse

_PERMISSION = "sagas.view_saga"


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the figures to the admin's index, for those who may see sagas.

    The workers are not waited for: the page asks for its part again as soon as it is shown.
    """
    if request.user.has_perm(_PERMISSION):
        context |= {"title": "Dashboard", **_shown(timezone.now(), workers.remembered())}
    return context


def dashboard_part(request: HttpRequest, **_: Any) -> HttpResponse:
    """Return the part of the dashboard that changes, with what the workers answer now."""
    if not request.user.has_perm(_PERMISSION):
        raise PermissionDenied
    crew = workers.crew()
    return render(request, "console/_dashboard.html", _shown(timezone.now(), crew))


def _shown(now: datetime, crew: Crew | None) -> dict[str, Any]:
    stuck, pulse, hours = figures.stuck(), workers.pulse(now=now), figures.hours(now=now)
    audit = audit_view.summary()
    return {
        "now": now,
        "alarms": list(_alarms(stuck, audit, pulse, crew)),
        "held_back": _held_back(),
        "unsettled": figures.unsettled(),
        "stuck": stuck,
        "audit": audit,
        "today": figures.today(now=now),
        "hours": hours,
        "busy": any(hour.started or hour.settled or hour.failed for hour in hours),
        "checkouts": _checkouts(hours),
        "times": _times(hours),
        "failures": figures.failures(),
        "crew": crew,
        "queue_names": settings.CELERY_QUEUES,
        "pulse": pulse,
    }


def _alarms(stuck: Stuck, audit: Summary, pulse: Pulse, crew: Crew | None) -> Iterator[str]:
    """Say in words what somebody should look at, the worst first."""
    if stuck.sagas:
        risk = f", {stuck.at_risk:,} of them with money at risk" if stuck.at_risk else ""
        verb = "is" if stuck.sagas == 1 else "are"
        yield f"{stuck.sagas:,} saga{'' if stuck.sagas == 1 else 's'} {verb} stuck{risk}."
    if audit.alarm:
        yield audit.alarm
    if pulse.fault:
        yield pulse.fault
    if crew is None:
        return
    if not crew.broker_answers:
        yield "The broker does not answer: nothing moves until it does."
    elif not crew.workers:
        yield "No worker answers."
    elif crew.unserved:
        yield f"No worker serves: {', '.join(crew.unserved)}."


def _held_back() -> Sequence[tuple[str, Any]]:
    held = switches.closed()
    words = {lever.name: lever.words for lever in levers()} if held else {}
    return [(words.get(switch.name, switch.name), switch) for switch in held]


def _checkouts(hours: Sequence[Hour]) -> Chart:
    started, settled = sum(hour.started for hour in hours), sum(hour.settled for hour in hours)
    return charts.bars_and_line(
        [
            Series(css="mg-fill-good", values=[hour.completed for hour in hours]),
            Series(css="mg-fill-calm", values=[hour.compensated for hour in hours]),
            Series(css="mg-fill-bad", values=[hour.failed for hour in hours]),
        ],
        Series(css="mg-stroke-main", values=[hour.started for hour in hours]),
        hints=[
            f"from {hour.at:%H:%M} UTC: {hour.started:,} started, {hour.completed:,} completed, "
            f"{hour.compensated:,} compensated, {hour.failed:,} failed"
            for hour in hours
        ],
        label=f"By hour: {started:,} started and {settled:,} settled in 24 hours; table below",
    )


def _times(hours: Sequence[Hour]) -> Chart:
    return charts.lines(
        [
            Series(css="mg-stroke-late", values=[_seconds(hour.p95) for hour in hours]),
            Series(css="mg-stroke-main", values=[_seconds(hour.p50) for hour in hours]),
        ],
        hints=[f"from {hour.at:%H:%M} UTC: {_took(hour)}" for hour in hours],
        label="Time to settle by hour, of half and of 95 in 100 sagas; table below",
    )


def _took(hour: Hour) -> str:
    if hour.p50 is None or hour.p95 is None:
        return "nothing settled"
    half, nearly_all = charts.duration(_seconds(hour.p50)), charts.duration(_seconds(hour.p95))
    return f"half within {half}, 95 of 100 within {nearly_all}"


def _seconds(length: timedelta | None) -> float | None:
    return length.total_seconds() if length is not None else None
