"""The engine's rows in the admin: read-only, with two verbs that call ``operations``."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.options import BaseModelAdmin as _BaseModelAdmin
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from sagas import journal, operations, verbs
from sagas.models import DATABASE, Heartbeat, OperatorAction, Saga, StepRun
from sagas.registry import UnknownDefinition
from sagas.stuck import standing_of
from sagas.verbs import Mandate

# Django's admin classes are generic for the type checker only.
if TYPE_CHECKING:
    BaseModelAdmin: TypeAlias = _BaseModelAdmin[Any]
    ModelAdmin: TypeAlias = admin.ModelAdmin[Any]
    TabularInline: TypeAlias = admin.TabularInline[Any, Any]
else:
    BaseModelAdmin, ModelAdmin = _BaseModelAdmin, admin.ModelAdmin
    TabularInline = admin.TabularInline


class ReadOnly(BaseModelAdmin):
    """Grants viewing only."""

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class StepRunInline(ReadOnly, TabularInline):
    model = StepRun
    extra = 0
    fields = (
        "recorded_at",
        "direction",
        "step",
        "attempt",
        "epoch",
        "outcome",
        "duration_ms",
        "worker",
        "error_code",
        "error_message",
    )


class OperatorActionInline(ReadOnly, TabularInline):
    model = OperatorAction
    extra = 0
    fields = ("taken_at", "verb", "operator", "reason", "effect")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OperatorAction]:
        rows: QuerySet[OperatorAction] = super().get_queryset(request)
        return rows.select_related("operator")


@admin.register(Saga)
class SagaAdmin(ReadOnly, ModelAdmin):
    list_display = (
        "id",
        "kind",
        "state",
        "stuck",
        "waits_for",
        "age",
        "attempts",
        "next_attempt_at",
        "failure",
        "reason",
    )
    list_filter = ("state", "parked", "kind", "error_step", "error_outcome")
    search_fields = ("=id", "=idempotency_key", "=principal")
    inlines = (StepRunInline, OperatorActionInline)
    actions = ("retry_now", "compensate")
    show_full_result_count = False
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Saga]:
        return journal.sagas_now().annotate(lived=Now() - F("created_at"))

    @admin.display(empty_value="-")
    def stuck(self, saga: Saga) -> str:
        # In words: Django draws a boolean as a tick or a cross, and here the tick would be bad.
        return "stuck" if standing_of(saga).stuck else ""

    @admin.display(description="waits for", empty_value="-")
    def waits_for(self, saga: Saga) -> str:
        return standing_of(saga).words

    @admin.display(ordering="-created_at")
    def age(self, saga: Saga) -> str:
        lived: timedelta = saga.lived  # type: ignore[attr-defined]  # annotated above
        return str(timedelta(seconds=int(lived.total_seconds())))

    @admin.display(description="last error", empty_value="-")
    def failure(self, saga: Saga) -> str:
        if not saga.error_step:
            return ""
        return f"{saga.error_step} ({saga.error_outcome}): {saga.error_message}"

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("sagas.retry_saga")

    def has_compensate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("sagas.compensate_saga")

    @admin.action(description="Retry now", permissions=["retry"])
    def retry_now(self, request: HttpRequest, chosen: QuerySet[Saga]) -> None:
        """Let each chosen saga try again, and say what became of each."""
        operator = request.user
        assert operator.is_authenticated
        self._each(
            request, chosen, lambda pk: verbs.retry(pk, mandate=Mandate(operator=operator)).effect
        )

    @admin.action(description="Compensate: undo the chosen sagas", permissions=["compensate"])
    def compensate(self, request: HttpRequest, chosen: QuerySet[Saga]) -> None:
        """Undo each chosen saga; past the pivot only with the higher permission."""
        operator = request.user
        assert operator.is_authenticated
        may = operator.has_perm("sagas.compensate_saga_past_pivot")
        self._each(
            request,
            chosen,
            lambda pk: (
                verbs.compensate(pk, mandate=Mandate(operator=operator), past_pivot=may).effect
            ),
        )

    def _each(
        self, request: HttpRequest, chosen: QuerySet[Saga], verb: Callable[[UUID], str]
    ) -> None:
        for saga_id in list(chosen.values_list("pk", flat=True)):
            try:
                effect = verb(saga_id)
            except (operations.NotNow, UnknownDefinition, journal.Superseded) as why:
                self.message_user(request, f"{saga_id}: skipped, {why}.", messages.WARNING)
            else:
                self.message_user(request, f"{saga_id}: {effect}.", messages.SUCCESS)


@admin.register(StepRun)
class StepRunAdmin(ReadOnly, ModelAdmin):
    list_display = (
        "recorded_at",
        "saga_id",
        "direction",
        "step",
        "attempt",
        "epoch",
        "outcome",
        "duration_ms",
        "error_code",
        "error_message",
    )
    list_filter = ("outcome", "direction", "step")
    search_fields = ("=saga__id",)
    show_full_result_count = False


@admin.register(OperatorAction)
class OperatorActionAdmin(ReadOnly, ModelAdmin):
    list_display = ("taken_at", "verb", "saga_id", "operator", "reason", "effect")
    list_filter = ("verb",)
    list_select_related = ("operator",)
    search_fields = ("=saga__id", "=operator__username")


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnly, ModelAdmin):
    list_display = ("name", "beat_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Heartbeat]:
        return Heartbeat.objects.using(DATABASE)
