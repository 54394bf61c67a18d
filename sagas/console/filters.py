"""The filters of the saga list. Choices come from definitions and constants, never from a scan."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from sagas import registry
from sagas.models import (
    COMPENSATED,
    COMPENSATING,
    DATABASE,
    FAILED,
    Outcome,
    Parked,
    Saga,
)
from sagas.operations import CANCELLED
from sagas.stuck import UNFINISHED, stuck_sagas
from sagas.verbs import BY_OPERATOR

_SEPARATOR = "|"
#: Error groups that are offered at the most.
_MOST_GROUPS = 30

_WHY = {
    "lease_expired": (
        "lease expired",
        Q(parked="", claimed_at__isnull=False, lease_until__lte=Now()),
    ),
    "backing_off": ("backing off", Q(parked="", next_attempt_at__gt=Now())),
    "waiting": (
        "waiting for a worker",
        Q(parked="", claimed_at=None, next_attempt_at=None, lease_until__isnull=False),
    ),
    "in_doubt": ("in doubt", Q(error_outcome=Outcome.IN_DOUBT)),
    "undo_failed": ("undo failed", Q(state=FAILED)),
    "parked": (
        "parked for a human",
        Q(parked__in=(Parked.RETRIES_EXHAUSTED, Parked.REFUSED_PAST_PIVOT)),
    ),
    "paused": ("paused", Q(parked=Parked.PAUSED)),
    "unknown_version": ("unknown version", Q(parked=Parked.UNKNOWN_VERSION)),
}
#: Amounts in minor units: from, and up to but not including.
_AMOUNTS = {
    "small": ("under 20.00", 0, 2_000),
    "middle": ("20.00 to 100.00", 2_000, 10_000),
    "large": ("100.00 to 500.00", 10_000, 50_000),
    "huge": ("500.00 and more", 50_000, None),
}
_AGES = {
    "hour": ("the last hour", timedelta(hours=1)),
    "day": ("the last day", timedelta(days=1)),
    "week": ("the last week", timedelta(days=7)),
}

Choices = Sequence[tuple[str, str]]


class StateFilter(SimpleListFilter):
    title, parameter_name = "state", "state"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> Choices:
        states = dict.fromkeys(state for each in registry.definitions() for state in each.states)
        return [(state, state) for state in (*states, COMPENSATING, COMPENSATED, FAILED)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Saga]) -> QuerySet[Saga]:
        return queryset.filter(state=self.value()) if self.value() else queryset


class StuckFilter(SimpleListFilter):
    title, parameter_name = "stuck", "stuck"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> Choices:
        return [("yes", "stuck"), ("unfinished", "not settled")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Saga]) -> QuerySet[Saga]:
        match self.value():
            case "yes":
                return queryset.filter(stuck_sagas())
            case "unfinished":
                return queryset.filter(UNFINISHED)
        return queryset


class WhyFilter(SimpleListFilter):
    title, parameter_name = "why it waits", "why"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> Choices:
        return [(name, words) for name, (words, _) in _WHY.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Saga]) -> QuerySet[Saga]:
        found = _WHY.get(self.value() or "")
        return queryset.filter(UNFINISHED, found[1]) if found else queryset


class ReasonFilter(SimpleListFilter):
    title, parameter_name = "undone because", "reason"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> Choices:
        refusals = {
            str(code)
            for definition in registry.definitions()
            for step in definition.steps
            for refusal in step.refusals
            if (code := getattr(refusal, "code", ""))
        }
        codes = [*sorted(refusals), "deadline", "retries-exhausted", CANCELLED, BY_OPERATOR]
        return [(code, code) for code in codes]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Saga]) -> QuerySet[Saga]:
        return queryset.filter(reason=self.value()) if self.value() else queryset


class StepFilter(SimpleListFilter):
    title, parameter_name = "step of the last error", "step"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> Choices:
        names = dict.fromkeys(step.name for each in registry.definitions() for step in each.steps)
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Saga]) -> QuerySet[Saga]:
        return queryset.filter(error_step=self.value()) if self.value() else queryset


class ErrorFilter(SimpleListFilter):
    title, parameter_name = "error", "error"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> Choices:
        groups = (
            Saga.objects.using(DATABASE)
            .filter(UNFINISHED)
            .exclude(error_step="")
            .values_list("error_step", "error_type")
            .order_by("error_step", "error_type")
            .distinct()[:_MOST_GROUPS]
        )
        return [
            (f"{step}{_SEPARATOR}{kind}", f"{step}: {kind.rpartition('.')[2] or 'worker lost'}")
            for step, kind in groups
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Saga]) -> QuerySet[Saga]:
        step, separator, kind = (self.value() or "").partition(_SEPARATOR)
        return queryset.filter(error_step=step, error_type=kind) if separator else queryset


class AgeFilter(SimpleListFilter):
    title, parameter_name = "age", "age"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> Choices:
        return [*((name, words) for name, (words, _) in _AGES.items()), ("older", "older")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Saga]) -> QuerySet[Saga]:
        if self.value() == "older":
            return queryset.filter(created_at__lt=Now() - _AGES["week"][1])
        found = _AGES.get(self.value() or "")
        return queryset.filter(created_at__gte=Now() - found[1]) if found else queryset


class AmountFilter(SimpleListFilter):
    title, parameter_name = "amount", "amount"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> Choices:
        return [(name, words) for name, (words, _, _) in _AMOUNTS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Saga]) -> QuerySet[Saga]:
        found = _AMOUNTS.get(self.value() or "")
        if found is None:
            return queryset
        _, least, below = found
        within = queryset.filter(amount__gte=least)
        return within if below is None else within.filter(amount__lt=below)


class KindFilter(SimpleListFilter):
    title, parameter_name = "kind", "kind"

    def lookups(self, request: HttpRequest, model_admin: "ModelAdmin[Any]") -> Choices:
        return [(kind, kind) for kind in settings.SAGAS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Saga]) -> QuerySet[Saga]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


FILTERS = (
    StuckFilter,
    StateFilter,
    WhyFilter,
    ReasonFilter,
    StepFilter,
    ErrorFilter,
    AgeFilter,
    AmountFilter,
    KindFilter,
)
