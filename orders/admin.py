"""Staff see orders, what was posted for them and what happened to them; they change nothing."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from orders.aftersales import OrderHeldBack, OrderNotConfirmed, OrderShipped, ship_order
from orders.models import (
    Draft,
    InboxEntry,
    Order,
    OrderEvent,
    OrderLine,
    OutboxEvent,
    Receipt,
    Return,
    ReturnLine,
    Status,
    TimelineEntry,
)
from orders.timeline import timeline_of
from sagas.events.admin import InboxAdmin, OutboxAdmin, said
from sagas.participant.moments import shown
from sagas.participant.rowverbs import NotDone, RowVerb, WithVerbs
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
_SHIPPED, _CLOSED = moment_of("shipped_at"), moment_of("closed_at")
_AMOUNT = money_of("amount")
_DONE, _UNDONE = moment_of("done_at"), moment_of("undone_at")


class Lines(ReadOnly, TabularInline):
    model = OrderLine
    hide_title = True
    fields: ClassVar[list[Any]] = ["sku", "name", "quantity", "returned", _UNIT_PRICE, _LINE_TOTAL]
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


class Returns(ReadOnly, WithSaga, TabularInline):
    model = Return
    hide_title = True
    fields: ClassVar[list[Any]] = [_AMOUNT, "reason", "status", _CREATED, _CLOSED, "saga_short"]
    readonly_fields = fields


def _ship(order_id: Any) -> str:
    try:
        order = ship_order(order_id=order_id)
    except (OrderHeldBack, OrderNotConfirmed, OrderShipped) as no:
        raise NotDone(str(no)) from no
    return f"order {order.number} is marked as shipped"


@admin.register(Order)
class OrderAdmin(WithSaga, WithVerbs):
    verbs = (
        RowVerb(
            name="ship",
            label="Mark as shipped",
            explanation="The goods have left: now the order can be returned, not cancelled.",
            permission="orders.ship_order",
            act=_ship,
            is_offered=lambda order: (
                order.status == Status.CONFIRMED
                and order.shipped_at is None
                and order.held_by is None
            ),
        ),
    )
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
                    (_CREATED, _CONFIRMED, _SHIPPED, _CANCELLED),
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
    readonly_fields = ["id", "saga", _TOTAL, _CREATED, _CONFIRMED, _SHIPPED, _CANCELLED, "timeline"]
    inlines = [Lines, Returns, Events]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the order with what can be done to it after the sale."""
        order, links = self.get_object(request, object_id), []
        if order and order.status == Status.CONFIRMED:
            if not order.shipped_at and request.user.has_perm("sagas.cancel_order"):
                url = reverse("order-cancel-page", args=[order.pk])
                links.append({"label": "Cancel the order", "url": url})
            if request.user.has_perm("sagas.refund_order"):
                url = reverse("order-refund-page", args=[order.pk])
                links.append({"label": "Give a part back", "url": url})
        context = {**(extra_context or {}), "more_verbs": links}
        return super().change_view(request, object_id, form_url, context)

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


@admin.register(Return)
class ReturnAdmin(WithSaga, ReadOnlyAdmin):
    list_display = ["order", _AMOUNT, "reason", "status", _CREATED, "saga_short"]
    list_filter = ["status"]
    list_select_related = ["order"]
    search_fields = ["order__number", "saga_id"]
    search_help_text = "Order number, or the return's saga id"
    readonly_fields = ["saga"]


@admin.register(ReturnLine)
class ReturnLineAdmin(ReadOnlyAdmin):
    list_display = ["of", "line", "quantity"]
    list_select_related = ["of", "line"]
    ordering = ["-id"]
    search_fields = ["of__saga_id"]
    search_help_text = "The return's saga id"


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
