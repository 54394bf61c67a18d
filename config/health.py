"""Probes: is this process alive, and can it serve? No secret, no host name, no error text."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.celery import app
from sagas.models import DATABASE as CONTROL_PLANE
from sagas.models import Heartbeat

#: Seconds that a connection may take, and after which all parts together are given up.
_CONNECT_TIMEOUT = 2
_BUDGET = 2.5
#: Name of the recovery's Heartbeat row, and how many ticks it may miss.
_RECOVERY = "recovery"
_TICKS_MISSED = 6
_LATE_AT_THE_EARLIEST = 30

#: Does its check or raises; returns further members for the answer.
Check = Callable[[], Mapping[str, Any]]


class RecoveryIsLate(Exception):
    """The recovery has never run, or not for several of its intervals."""

    def __init__(self, age: float | None) -> None:
        super().__init__(age)
        self.age = age


@dataclass(frozen=True, kw_only=True)
class Part:
    """How one part is: what is well, and how long it took to find out."""

    ok: bool
    members: Mapping[str, Any]


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """The process is alive; touches nothing else."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Every database, the broker and the recovery are well (200), or one is not (503)."""
    checks: dict[str, Check] = {
        **{f"database:{alias}": partial(check_database, alias) for alias in settings.DATABASES},
        "broker": check_broker,
        "recovery": check_recovery,
    }
    parts = run_checks(checks)
    ready = all(part.ok for part in parts.values())
    return JsonResponse(
        {
            "status": "ok" if ready else "unavailable",
            "parts": {
                name: {"status": "ok" if part.ok else "failed", **part.members}
                for name, part in parts.items()
            },
        },
        status=HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE,
    )


def run_checks(checks: Mapping[str, Check], *, budget: float = _BUDGET) -> dict[str, Part]:
    """Run all checks at once and wait ``budget`` seconds for them at the most.

    A check that hangs is left behind in its thread, which its own time-outs end.
    """
    executor = ThreadPoolExecutor(max_workers=len(checks), thread_name_prefix="readyz")
    running = {name: executor.submit(_timed, check) for name, check in checks.items()}
    done, _ = wait(running.values(), timeout=budget)
    executor.shutdown(wait=False)
    return {name: _part_of(future, done, budget) for name, future in running.items()}


def check_database(alias: str) -> Mapping[str, Any]:
    """Open a new connection to the database ``alias`` and ask it something."""
    # A copy: the threads' own connections stay as they are, and this one is short of patience.
    probe = connections[alias].copy()
    probe.settings_dict["OPTIONS"] = {
        **probe.settings_dict["OPTIONS"],
        "connect_timeout": _CONNECT_TIMEOUT,
    }
    try:
        with probe.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        probe.close()
    return {}


def check_broker() -> Mapping[str, Any]:
    """Connect to the broker once, without retries."""
    with app.connection_for_write(connect_timeout=_CONNECT_TIMEOUT) as connection:
        connection.ensure_connection(max_retries=1, timeout=_CONNECT_TIMEOUT)
    return {}


def check_recovery() -> Mapping[str, Any]:
    """Say how many seconds ago the recovery ran, by the database's clock.

    Raises:
        RecoveryIsLate: that is too long ago, or it never ran.
    """
    age_of = ExpressionWrapper(Now() - F("beat_at"), output_field=DurationField())
    beats = Heartbeat.objects.using(CONTROL_PLANE).filter(name=_RECOVERY)
    try:
        age: timedelta | None = beats.values_list(age_of, flat=True).first()
    finally:
        connections[CONTROL_PLANE].close()  # this thread's own, and the thread ends
    seconds = None if age is None else round(age.total_seconds(), 1)
    limit = max(_TICKS_MISSED * settings.SAGA_RECOVERY_INTERVAL, _LATE_AT_THE_EARLIEST)
    if seconds is None or seconds > limit:
        raise RecoveryIsLate(seconds)
    return {"age_seconds": seconds}


def _timed(check: Check) -> Part:
    begun = time.monotonic()
    try:
        ok, members = True, check()
    except RecoveryIsLate as late:
        ok, members = False, {"error": type(late).__name__, "age_seconds": late.age}
    except Exception as error:  # noqa: BLE001  (a probe reports every fault, by its type's name)
        ok, members = False, {"error": type(error).__name__}
    latency = round((time.monotonic() - begun) * 1000)
    return Part(ok=ok, members={"latency_ms": latency, **members})


def _part_of(future: Future[Part], done: set[Future[Part]], budget: float) -> Part:
    if future in done:
        return future.result()
    return Part(ok=False, members={"latency_ms": round(budget * 1000), "error": "Timeout"})
