"""The engine's rows in the admin: read-only, with the console's pages and verbs."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

from sagas import bulk
from sagas.console.audit_view import audit_page
from sagas.console.bulk_view import bulk_list, bulk_page, freeze
from sagas.console.chaos_view import chaos_page, chaos_plan_page, chaos_stop_page
from sagas.console.dashboard import dashboard_part
from sagas.console.events_page import events_page
from sagas.console.export import stream
from sagas.console.listing import SagaListing
from sagas.console.needs_human import needs_a_human
from sagas.console.page import saga_page
from sagas.console.switches_view import switches_page
from sagas.console.verb_view import verb_page
from sagas.models import DATABASE, Heartbeat, OperatorAction, Saga, StepRun, SwitchLog
from sagas.participant.staff import ReadOnlyAdmin

View = Callable[..., HttpResponse]


@admin.register(Saga)
class SagaAdmin(SagaListing):
    """The list of sagas, and the pages of one: what it holds, and every verb with its dry run."""

    actions = ("retry_chosen", "compensate_chosen", "pause_chosen", "resume_chosen")

    def get_urls(self) -> list[URLPattern]:
        """Put the console's pages before the admin's own."""
        return [
            path("<uuid:saga_id>/do/<slug:name>/", self._page(verb_page), name="sagas_saga_verb"),
            path("needs-a-human/", self._page(needs_a_human), name="sagas_saga_needs_a_human"),
            path("dashboard/", self._page(dashboard_part), name="sagas_dashboard"),
            path("export/", self.admin_site.admin_view(self.export), name="sagas_saga_export"),
            path("bulk/", self._page(bulk_list), name="sagas_saga_bulk_list"),
            path("bulk/<uuid:run_id>/", self._page(bulk_page), name="sagas_saga_bulk"),
            path("audit/", self._page(audit_page), name="sagas_saga_audit"),
            path("events/", self._page(events_page), name="sagas_saga_events"),
            path("switches/", self._page(switches_page), name="sagas_saga_switches"),
            path("chaos/", self._page(chaos_page), name="sagas_chaos"),
            path("chaos/plan/", self._page(chaos_plan_page), name="sagas_chaos_plan"),
            path(
                "chaos/<int:disturbance_id>/stop/",
                self._page(chaos_stop_page),
                name="sagas_chaos_stop",
            ),
            *super().get_urls(),
        ]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Stream the list as it is filtered, as CSV."""
        if not request.user.has_perm("sagas.export_saga"):
            raise PermissionDenied
        return stream(self.get_changelist_instance(request).get_queryset(request))

    def has_bulk_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("sagas.bulk_saga")

    @admin.action(description="Retry the chosen sagas", permissions=["bulk"])
    def retry_chosen(self, request: HttpRequest, chosen: QuerySet[Saga]) -> HttpResponse:
        return self._freeze(request, "retry", chosen)

    @admin.action(description="Compensate the chosen sagas", permissions=["bulk"])
    def compensate_chosen(self, request: HttpRequest, chosen: QuerySet[Saga]) -> HttpResponse:
        return self._freeze(request, "compensate", chosen)

    @admin.action(description="Pause the chosen sagas", permissions=["bulk"])
    def pause_chosen(self, request: HttpRequest, chosen: QuerySet[Saga]) -> HttpResponse:
        return self._freeze(request, "pause", chosen)

    @admin.action(description="Resume the chosen sagas", permissions=["bulk"])
    def resume_chosen(self, request: HttpRequest, chosen: QuerySet[Saga]) -> HttpResponse:
        return self._freeze(request, "resume", chosen)

    def _freeze(self, request: HttpRequest, verb: str, chosen: QuerySet[Saga]) -> HttpResponse:
        ids = list(chosen.order_by("created_at").values_list("pk", flat=True)[: bulk.MOST + 1])
        return freeze(request, verb, ids)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the saga page in place of a form."""
        return self._shown(saga_page, request, saga_id=_uuid(object_id))

    def _page(self, view: View) -> View:
        def shown(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            return self._shown(view, request, **kwargs)

        return self.admin_site.admin_view(shown)

    def _shown(self, view: View, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return view(request, **kwargs, context=self.admin_site.each_context(request))


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


@admin.register(StepRun)
class StepRunAdmin(ReadOnlyAdmin):
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
    list_filter = ("outcome", "direction")
    search_fields = ("saga_id",)
    show_full_result_count = False


@admin.register(OperatorAction)
class OperatorActionAdmin(ReadOnlyAdmin):
    list_display = ("taken_at", "verb", "saga_id", "operator", "address", "reason", "effect")
    list_filter = ("verb",)
    list_select_related = ("operator",)
    search_fields = ("saga_id", "operator__username")
    show_full_result_count = False


@admin.register(SwitchLog)
class SwitchLogAdmin(ReadOnlyAdmin):
    list_display = ("taken_at", "name", "closed", "operator", "reason")
    list_select_related = ("operator",)


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("name", "beat_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Heartbeat]:
        return Heartbeat.objects.using(DATABASE)
