"""Staff see orders, what was posted for them and what happened to them; they change nothing."""

from django.contrib import admin
from unfold.decorators import display

from orders.models import Draft, Order, OrderEvent, OrderLine, Receipt
from sagas.participant.money import written
from sagas.participant.staff import ReadOnly, ReadOnlyAdmin, TabularInline, WithSaga


class Lines(ReadOnly, TabularInline):
    model = OrderLine
    fields = ["sku", "name", "quantity", "unit_price", "line_total"]


class Events(ReadOnly, TabularInline):
    model = OrderEvent
    fields = ["kind", "reason", "happened_at"]


@admin.register(Order)
class OrderAdmin(WithSaga, ReadOnlyAdmin):
    list_display = ["number", "badge", "written_total", "email", "principal", "created_at", "saga"]
    list_filter = ["status", "currency"]
    search_fields = ["number", "email", "saga_id", "id"]
    search_help_text = "Order number, e-mail, saga id or order id, whole."
    readonly_fields = ["id", "saga", "confirmed_at", "cancelled_at"]
    inlines = [Lines, Events]

    @display(
        description="status",
        label={"PENDING": "warning", "CONFIRMED": "success", "CANCELLED": "info"},
    )
    def badge(self, order: Order) -> str:
        return str(order.status)

    @admin.display(description="total", ordering="total")
    def written_total(self, order: Order) -> str:
        return written(order.total, order.currency)


@admin.register(Draft)
class DraftAdmin(ReadOnlyAdmin):
    list_display = ["checkout_id", "total", "currency", "email", "principal", "created_at"]
    search_fields = ["checkout_id"]
    readonly_fields = ["checkout_id"]


@admin.register(OrderLine)
class OrderLineAdmin(ReadOnlyAdmin):
    list_display = ["order", "sku", "name", "quantity", "unit_price", "line_total"]
    list_select_related = ["order"]
    search_fields = ["order__number"]


@admin.register(OrderEvent)
class OrderEventAdmin(ReadOnlyAdmin):
    list_display = ["order", "kind", "reason", "happened_at"]
    list_filter = ["kind"]
    list_select_related = ["order"]
    search_fields = ["order__number"]


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ["saga_id", "step", "done_at", "undone_at", "created_at"]
    list_filter = ["step"]
    search_fields = ["saga_id"]
