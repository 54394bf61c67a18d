"""Endpoints, what they were sent, and what staff can do about it."""

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from unfold.decorators import display

from notifications.models import (
    DATABASE,
    DeliveryStatus,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from notifications.webhooks import signing, steering
from notifications.webhooks.forms import EndpointForm, RangeForm
from sagas.participant import crash
from sagas.participant.rowverbs import NotDone, RowVerb, WithVerbs
from sagas.participant.staff import ReadOnly, TabularInline, moment_of

_CREATED, _FAILING = moment_of("created_at"), moment_of("failing_since", name="failing since")
_DISABLED, _DELIVERED = moment_of("disabled_at"), moment_of("delivered_at")
_NEXT, _ATTEMPTED = moment_of("next_attempt_at", name="next attempt"), moment_of("attempted_at")
_OVERLAP = moment_of("previous_until", name="secret before signs until")
_STEER = "notifications.steer_webhookendpoint"


def register(site: AdminSite) -> None:
    """Put the pages into the admin."""
    site.register(WebhookEndpoint, EndpointAdmin)
    site.register(WebhookDelivery, DeliveryAdmin)


def _rotate(endpoint_id: UUID) -> str:
    steering.rotate(endpoint_id)
    return "a new secret signs; show it once and give it to the receiver within 24 hours"


def _turn_off(endpoint_id: UUID) -> str:
    if not steering.disable(endpoint_id, why="by hand"):
        raise NotDone("it is off already")
    return "nothing more is sent to it"


def _turn_on(endpoint_id: UUID) -> str:
    if not steering.enable(endpoint_id):
        raise NotDone("it is on already")
    return "events are sent to it from now on"


def _send_again(delivery_id: UUID) -> str:
    if not steering.replay(delivery_id):
        raise NotDone("it is being sent anyway, or its endpoint is off")
    return "it is sent again"


class EndpointAdmin(WithVerbs):
    """Endpoints are added and changed by hand, and turned off rather than deleted."""

    form = EndpointForm
    changeable = True
    list_display = ("url", "description", "badge", _FAILING, _CREATED)
    readonly_fields = ("state", _FAILING, _DISABLED, _OVERLAP, _CREATED, "log")
    verbs = (
        RowVerb(
            name="rotate",
            label="Make a new secret",
            explanation=(
                "A new secret signs from now on. For 24 hours the one before signs as well, so "
                "that the receiver can change over without missing an event."
            ),
            permission=_STEER,
            act=_rotate,
            is_offered=lambda endpoint: True,
        ),
        RowVerb(
            name="turn-off",
            label="Turn off",
            explanation=(
                "Nothing more is sent to it. What waits is given up, and what comes is kept for "
                "30 days; both can be replayed once it is on again."
            ),
            permission=_STEER,
            act=_turn_off,
            is_offered=lambda endpoint: endpoint.disabled_at is None,
        ),
        RowVerb(
            name="turn-on",
            label="Turn on",
            explanation=(
                "Events are sent to it from now on. What it missed is not sent by itself: "
                "replay a span of time."
            ),
            permission=_STEER,
            act=_turn_on,
            is_offered=lambda endpoint: endpoint.disabled_at is not None,
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        """Put the pages of secret and replay before the admin's own."""
        secret = never_cache(self.admin_site.admin_view(self.secret_view))
        replay = self.admin_site.admin_view(self.replay_view)
        return [
            path("<uuid:pk>/secret/", secret, name="notifications_webhookendpoint_secret"),
            path("<uuid:pk>/replay/", replay, name="notifications_webhookendpoint_replay"),
            *super().get_urls(),
        ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return what is asked for, and beside a row that is there how it stands."""
        asked = (None, {"fields": ["url", "description", "event_types"]})
        if obj is None:
            return [asked]
        stands = {"fields": [("state", _FAILING, _DISABLED), (_CREATED, _OVERLAP, "log")]}
        return [asked, ("How it stands", stands)]

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("notifications.add_webhookendpoint")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the endpoint with its verbs, its secret for one look, and replay."""
        endpoint = self.get_object(request, object_id)
        links = []
        if endpoint and request.user.has_perm(_STEER):
            if endpoint.secret_shown_at is None:
                links.append({"label": "Show the secret once", "url": self._of("secret", endpoint)})
            links.append({"label": "Replay a span of time", "url": self._of("replay", endpoint)})
        context = {**(extra_context or {}), "more_verbs": links}
        return super().change_view(request, object_id, form_url, context)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Name the transaction in which the admin saves."""
        if request.method != "POST":
            return super().changeform_view(request, *args, **kwargs)
        with crash.committing("notifications.edit_endpoint", using=DATABASE):
            return super().changeform_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Give a new endpoint its secret; write only what was edited of an old one."""
        if change:
            obj.save(update_fields=form.changed_data or None, using=obj._state.db)
            return
        obj.seed = signing.new_seed()
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Any, *_: Any, **__: Any) -> HttpResponse:
        """Go on to the new endpoint's page, where its secret waits for one look."""
        messages.success(request, "Added. Show its secret once and give it to the receiver.")
        return HttpResponseRedirect(self._page(obj))

    def secret_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Ask on GET; show the secret on the first POST and never again."""
        endpoint = self._endpoint(request, pk)
        secret = None
        if request.method == "POST":
            secret = steering.show_secret(pk)
            self.log_change(request, endpoint, "The secret was shown." if secret else "Too late.")
        context = {
            **self.admin_site.each_context(request),
            "title": "The endpoint's secret",
            "endpoint": endpoint,
            "page": self._page(endpoint),
            "secret": secret,
            "gone": secret is None
            and (request.method == "POST" or endpoint.secret_shown_at is not None),
        }
        return render(request, "console/webhook_secret.html", context)

    def replay_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Ask for a span of time; POST sends again what was written in it."""
        endpoint = self._endpoint(request, pk)
        form = RangeForm(request.POST) if request.method == "POST" else RangeForm.for_the_last_day()
        if form.is_bound and form.is_valid():
            count = steering.replay_range(pk, **form.cleaned_data)
            words = f"{count} deliver{'y is' if count == 1 else 'ies are'} sent again"
            self.log_change(request, endpoint, f"Replay: {words}")
            messages.success(request, f"Done: {words}.")
            return HttpResponseRedirect(self._page(endpoint))
        context = {
            **self.admin_site.each_context(request),
            "title": "Replay a span of time",
            "endpoint": endpoint,
            "page": self._page(endpoint),
            "form": form,
        }
        return render(request, "console/webhook_replay.html", context)

    @display(
        description="state",
        label={"on": "success", "failing": "warning", "off": "danger"},
    )
    def badge(self, endpoint: WebhookEndpoint) -> str:
        if endpoint.disabled_at:
            return "off"
        return "failing" if endpoint.failing_since else "on"

    @display(description="state")
    def state(self, endpoint: WebhookEndpoint) -> str:
        if endpoint.disabled_at:
            return f"off ({endpoint.disabled_why})"
        return "failing" if endpoint.failing_since else "on"

    @display(description="deliveries")
    def log(self, endpoint: WebhookEndpoint) -> SafeString:
        url = reverse("admin:notifications_webhookdelivery_changelist")
        return format_html('<a class="mg-link" href="{}?endpoint={}">log</a>', url, endpoint.pk)

    def _endpoint(self, request: HttpRequest, pk: UUID) -> WebhookEndpoint:
        if not request.user.has_perm(_STEER):
            raise PermissionDenied
        endpoint: WebhookEndpoint | None = self.get_object(request, str(pk))
        if endpoint is None:
            raise Http404
        return endpoint

    def _page(self, endpoint: WebhookEndpoint) -> str:
        return reverse("admin:notifications_webhookendpoint_change", args=[endpoint.pk])

    def _of(self, page: str, endpoint: WebhookEndpoint) -> str:
        return reverse(f"admin:notifications_webhookendpoint_{page}", args=[endpoint.pk])


class Attempts(ReadOnly, TabularInline):
    model = WebhookAttempt
    hide_title = True
    fields: ClassVar[list[Any]] = ["number", "status_code", "error", "duration_ms", _ATTEMPTED]
    readonly_fields = fields


class DeliveryAdmin(WithVerbs):
    """The log of deliveries: what was sent where, how often, and how it ended."""

    list_display = ("type", "endpoint", "badge", "attempts", "last_error", _CREATED)
    list_filter = ("status",)
    list_select_related = ("endpoint",)
    search_fields = ("event_id",)
    search_help_text = "Event id"
    fields: ClassVar[list[Any]] = [
        ("type", "status", "last_error"),
        ("attempts", _NEXT, _DELIVERED),
        ("endpoint", "event_id", _CREATED),
        "body",
    ]
    readonly_fields = (_CREATED, _NEXT, _DELIVERED)
    inlines = (Attempts,)
    verbs = (
        RowVerb(
            name="send-again",
            label="Send again",
            explanation=(
                "The same bytes are sent again, signed anew, with all their attempts. A receiver "
                "that has the event already knows it by its webhook-id."
            ),
            permission=_STEER,
            act=_send_again,
            is_offered=lambda delivery: (
                delivery.status != DeliveryStatus.PENDING and delivery.endpoint.disabled_at is None
            ),
        ),
    )

    @display(
        description="status",
        label={"DELIVERED": "success", "PENDING": "warning", "GIVEN_UP": "danger"},
    )
    def badge(self, delivery: WebhookDelivery) -> str:
        return str(delivery.status)
