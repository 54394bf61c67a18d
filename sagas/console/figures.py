"""The figures of the dashboard.

Every query reads by an index: the few unsettled rows, or the rows of a day. So they cost the
same at a thousand sagas and at a million.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import (
    Aggregate,
    Count,
    DateTimeField,
    DurationField,
    F,
    Func,
    Max,
    Min,
    Q,
    QuerySet,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce
from django.urls import reverse

from sagas import registry
from sagas.console.needs_human import charged_and_not_undone
from sagas.models import COMPENSATED, COMPENSATING, COMPLETE, DATABASE, FAILED, Outcome, Saga
from sagas.participant.money import written
from sagas.stuck import UNFINISHED, stuck_sagas

_HOURS = 24
#: Groups of failures that are shown.
_MOST_GROUPS = 10


@dataclass(frozen=True, kw_only=True)
class Money:
    """What some sagas come to, in minor units by currency."""

    sagas: int = 0
    sums: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return " and ".join(self.written)

    @property
    def written(self) -> Sequence[str]:
        """One amount a currency, or a word."""
        # A saga from before amounts were kept has neither amount nor currency.
        known = [written(amount, currency) for currency, amount in self.sums.items() if currency]
        return known or ["unknown" if self.sagas else "none"]


@dataclass(frozen=True, kw_only=True)
class Unsettled:
    """The sagas that are neither complete nor made good."""

    in_flight: int
    compensating: int
    failed: int
    at_risk: Money
    in_doubt: Money


@dataclass(frozen=True, kw_only=True)
class Stuck:
    """The sagas that somebody should look at."""

    sagas: int
    at_risk: int
    oldest: datetime | None


@dataclass(frozen=True, kw_only=True)
class Today:
    """What was settled since midnight, UTC."""

    completed: int
    compensated: int

    @property
    def share(self) -> str:
        """The compensated among the settled; empty when nothing was settled."""
        settled = self.completed + self.compensated
        return f"{self.compensated / settled:.1%}" if settled else ""


@dataclass(frozen=True, kw_only=True)
class Hour:
    """An hour of the charts, with the times in which half, and nearly all, were settled."""

    at: datetime
    started: int = 0
    completed: int = 0
    compensated: int = 0
    failed: int = 0
    p50: timedelta | None = None
    p95: timedelta | None = None

    @property
    def settled(self) -> int:
        """Completed or made good."""
        return self.completed + self.compensated


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Unsettled sagas whose last error was the same."""

    step: str
    error: str
    stake: Money
    last_at: datetime | None

    @property
    def page(self) -> str:
        """The list of these sagas."""
        group = {"error": f"{self.step}|{self.error}", "stuck": "unfinished"}
        return f"{reverse('admin:sagas_saga_changelist')}?{urlencode(group)}"

    @property
    def words(self) -> str:
        """The error without the path of its class."""
        return self.error.rpartition(".")[2] or "worker lost"


class HourTo(Func):
    """The beginning of the hour that a moment is in, where one of the hours ends ``now``."""

    function = "DATE_BIN"
    output_field = DateTimeField()

    def __init__(self, moment: str, *, now: datetime) -> None:
        super().__init__(Value(timedelta(hours=1)), F(moment), Value(now))


class Percentile(Aggregate):
    """The value that a share of all values does not exceed, between the two nearest."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = DurationField()


def unsettled() -> Unsettled:
    """Count the unsettled sagas, and what was charged for them and not given back."""
    charged = charged_and_not_undone()
    doubted = _charge_in_doubt()
    rows = (
        _sagas(UNFINISHED)
        .values("currency")
        .annotate(
            in_flight=Count("state", filter=Q(parked="") & ~Q(state=FAILED)),
            compensating=Count("state", filter=Q(state=COMPENSATING)),
            failed=Count("state", filter=Q(state=FAILED)),
            charged=Count("state", filter=charged),
            charged_sum=Sum("amount", filter=charged),
            doubted=Count("state", filter=doubted),
            doubted_sum=Sum("amount", filter=doubted),
        )
        .order_by("currency")
    )
    found = list(rows)
    return Unsettled(
        in_flight=sum(row["in_flight"] for row in found),
        compensating=sum(row["compensating"] for row in found),
        failed=sum(row["failed"] for row in found),
        at_risk=_money((row["currency"], row["charged"], row["charged_sum"]) for row in found),
        in_doubt=_money((row["currency"], row["doubted"], row["doubted_sum"]) for row in found),
    )


def stuck() -> Stuck:
    """Count what ``standing_of`` calls stuck."""
    found = _sagas(stuck_sagas()).aggregate(
        sagas=Count("*"),
        at_risk=Count("state", filter=UNFINISHED & charged_and_not_undone()),
        oldest=Min("created_at"),
    )
    return Stuck(**found)


def today(*, now: datetime) -> Today:
    """Count what was settled since midnight, UTC."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    ended = _sagas(Q(finished_at__gte=midnight)).values_list("state").annotate(n=Count("*"))
    counts = dict(ended.order_by("state"))
    return Today(completed=counts.get(COMPLETE, 0), compensated=counts.get(COMPENSATED, 0))


def hours(*, now: datetime) -> Sequence[Hour]:
    """Return the last 24 hours up to ``now``, the oldest first; none of them is cut short."""
    starts = [now - timedelta(hours=ago) for ago in range(_HOURS, 0, -1)]
    found: dict[datetime, dict[str, Any]] = {}
    for rows in (_started(now, starts[0]), _ended(now, starts[0]), _failed(now, starts[0])):
        for row in rows:
            found.setdefault(row["at"], {}).update(row)
    return [Hour(**found.get(at, {"at": at})) for at in starts]


def failures() -> Sequence[Failure]:
    """Return the unsettled sagas by their last error, the most frequent first."""
    rows = (
        _sagas(UNFINISHED)
        .exclude(error_step="")
        .values("error_step", "error_type", "currency")
        .annotate(n=Count("*"), sum=Sum("amount"), last=Max("error_at"))
        .order_by("error_step", "error_type")
    )
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["error_step"], row["error_type"]), []).append(row)
    found = [
        Failure(
            step=step,
            error=error,
            stake=_money((row["currency"], row["n"], row["sum"]) for row in parts),
            last_at=max(filter(None, (row["last"] for row in parts)), default=None),
        )
        for (step, error), parts in groups.items()
    ]
    return sorted(found, key=lambda each: -each.stake.sagas)[:_MOST_GROUPS]


def _sagas(condition: Q) -> QuerySet[Saga]:
    return Saga.objects.using(DATABASE).filter(condition)


def _started(now: datetime, since: datetime) -> Iterable[Mapping[str, Any]]:
    rows = _sagas(Q(created_at__gte=since)).values(at=HourTo("created_at", now=now))
    return rows.annotate(started=Count("*")).order_by("at")


def _ended(now: datetime, since: datetime) -> Iterable[Mapping[str, Any]]:
    took = F("finished_at") - F("created_at")
    rows = _sagas(Q(finished_at__gte=since)).values(at=HourTo("finished_at", now=now))
    return rows.annotate(
        completed=Count("state", filter=Q(state=COMPLETE)),
        compensated=Count("state", filter=Q(state=COMPENSATED)),
        p50=Percentile(took, share=0.5),
        p95=Percentile(took, share=0.95),
    ).order_by("at")


def _failed(now: datetime, since: datetime) -> Iterable[Mapping[str, Any]]:
    """Count what failed and has not been set right since."""
    when = Coalesce("error_at", "updated_at")
    rows = _sagas(UNFINISHED & Q(state=FAILED)).alias(failed_at=when).filter(failed_at__gte=since)
    return rows.values(at=HourTo("failed_at", now=now)).annotate(failed=Count("*")).order_by("at")


def _charge_in_doubt() -> Q:
    """Return the condition of the sagas of which only the provider knows whether it charged."""
    condition = Q(pk__in=[])
    for each in registry.definitions():
        if each.charge:
            takes, gives_back = each.charge
            unknown = Q(kind=each.kind, error_step=takes.name, error_outcome=Outcome.IN_DOUBT)
            settled = Q(results__has_key=takes.name) | Q(undone__has_key=gives_back.name)
            condition |= unknown & ~settled
    return condition


def _money(rows: Iterable[tuple[str, int, int | None]]) -> Money:
    """Add up (currency, sagas, amount)."""
    found = [row for row in rows if row[1]]
    return Money(
        sagas=sum(sagas for _, sagas, _ in found),
        sums={currency: amount or 0 for currency, _, amount in found},
    )
