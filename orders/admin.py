"""Staff see orders, what was posted for them and what happened to them; they change nothing."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from orders.models import (
    Draft,
    InboxEntry,
    Order,
    OrderEvent,
    OrderLine,
    OutboxEvent,
    Receipt,
    TimelineEntry,
)
from orders.timeline import timeline_of
from sagas.events.admin import InboxAdmin, OutboxAdmin, said
from sagas.participant.moments import shown
from sagas.participant.staff import (
    ReadOnly,
    ReadOnlyAdmin,
    TabularInline,
    WithSaga,
    moment_of,
    money_of,
)

_TOTAL = money_of("total")
_UNIT_PRICE = money_of("unit_price", currency="order.currency")
_LINE_TOTAL = money_of("line_total", currency="order.currency")
_CREATED, _CONFIRMED = moment_of("created_at"), moment_of("confirmed_at")
_CANCELLED, _HAPPENED = moment_of("cancelled_at"), moment_of("happened_at")
_DONE, _UNDONE = moment_of("done_at"), moment_of("undone_at")


class Lines(ReadOnly, TabularInline):
    model = OrderLine
    hide_title = True
    fields: ClassVar[list[Any]] = ["sku", "name", "quantity", _UNIT_PRICE, _LINE_TOTAL]
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderLine]:
        """Read the order with its lines: it has the currency."""
        rows: QuerySet[OrderLine] = super().get_queryset(request).select_related("order")
        return rows


class Events(ReadOnly, TabularInline):
    model = OrderEvent
    hide_title = True
    fields: ClassVar[list[Any]] = ["kind", "reason", _HAPPENED]
    readonly_fields = fields


@admin.register(Order)
class OrderAdmin(WithSaga, ReadOnlyAdmin):
    list_display = ["number", "badge", _TOTAL, "email", "principal", _CREATED, "saga_short"]
    list_filter = ["status", "created_at"]
    search_fields = ["number", "=email", "saga_id", "id"]
    search_help_text = "Order number, e-mail, saga or order id"
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("number", "status", _TOTAL),
                    (_CREATED, _CONFIRMED, _CANCELLED),
                    ("cancel_reason", "saga", "id"),
                ]
            },
        ),
        (
            "Shopper",
            {
                "fields": [
                    ("email", "principal"),
                    ("shipping_name", "shipping_line1", "shipping_line2"),
                    ("shipping_postal_code", "shipping_city", "shipping_country"),
                ]
            },
        ),
        ("Timeline", {"fields": ["timeline"]}),
    ]
    readonly_fields = ["id", "saga", _TOTAL, _CREATED, _CONFIRMED, _CANCELLED, "timeline"]
    inlines = [Lines, Events]

    @display(
        description="status",
        label={"PENDING": "warning", "CONFIRMED": "success", "CANCELLED": "info"},
    )
    def badge(self, order: Order) -> str:
        return str(order.status)

    @admin.display(description="what each domain did")
    def timeline(self, order: Order) -> SafeString | str:
        """Return what the domains told, the oldest first."""
        entries = [
            (shown(entry.happened_at), entry.type.replace("_", " "), said(entry.payload))
            for entry in timeline_of(saga_id=order.saga_id)
        ]
        if not entries:
            return "Nothing yet: events take some seconds."
        items = format_html_join("", "<li>{} <strong>{}</strong> <small>{}</small></li>", entries)
        return format_html('<ol class="mg-timeline">{}</ol>', items)


@admin.register(Draft)
class DraftAdmin(ReadOnlyAdmin):
    list_display = ["checkout_id", _TOTAL, "email", "principal", _CREATED]
    search_fields = ["checkout_id"]
    search_help_text = "Checkout id"
    readonly_fields = ["checkout_id"]


@admin.register(OrderLine)
class OrderLineAdmin(ReadOnlyAdmin):
    list_display = ["order", "sku", "name", "quantity", _UNIT_PRICE, _LINE_TOTAL]
    list_select_related = ["order"]
    ordering = ["-id"]
    search_fields = ["order__number"]
    search_help_text = "Order number"


@admin.register(OrderEvent)
class OrderEventAdmin(ReadOnlyAdmin):
    list_display = ["order", "kind", "reason", _HAPPENED]
    list_select_related = ["order"]
    ordering = ["-id"]
    search_fields = ["order__number"]
    search_help_text = "Order number"


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ["saga_id", "step", _DONE, _UNDONE, _CREATED]
    search_fields = ["saga_id"]
    search_help_text = "Saga id"


@admin.register(TimelineEntry)
class TimelineEntryAdmin(WithSaga, ReadOnlyAdmin):
    list_display = ["type", _HAPPENED, "saga_short"]
    ordering = ["-id"]
    search_fields = ["saga_id"]
    search_help_text = "Saga id"
    fields: ClassVar[list[Any]] = ["type", _HAPPENED, "saga", "payload"]
    readonly_fields = fields


admin.site.register(OutboxEvent, OutboxAdmin)
admin.site.register(InboxEntry, InboxAdmin)
