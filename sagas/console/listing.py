"""The saga list (in the making)."""

from typing import TYPE_CHECKING, Any, TypeAlias

from django.contrib import admin
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from unfold.admin import ModelAdmin as _ModelAdmin

from sagas import journal
from sagas.models import Saga
from sagas.stuck import standing_of

if TYPE_CHECKING:
    ModelAdmin: TypeAlias = admin.ModelAdmin[Any]
else:
    ModelAdmin = _ModelAdmin


class SagaListing(ModelAdmin):
    list_display = ("id", "kind", "state", "waits_for", "attempts", "next_attempt_at", "reason")
    search_fields = ("=id", "=idempotency_key", "=principal")
    show_full_result_count = False
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Saga]:
        return journal.sagas_now().annotate(lived=Now() - F("created_at"))

    @admin.display(description="waits for", empty_value="-")
    def waits_for(self, saga: Saga) -> str:
        return standing_of(saga).words
