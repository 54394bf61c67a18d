"""Staff see orders, what was posted for them and what happened to them; they change nothing."""

from typing import TYPE_CHECKING, Any, TypeAlias

from django.contrib import admin
from django.contrib.admin.options import BaseModelAdmin as _BaseModelAdmin
from django.http import HttpRequest

from orders.models import Draft, Order, OrderEvent, OrderLine, Receipt

# Django's admin classes are generic for the type checker only.
if TYPE_CHECKING:
    BaseModelAdmin: TypeAlias = _BaseModelAdmin[Any]
    ModelAdmin: TypeAlias = admin.ModelAdmin[Any]
    TabularInline: TypeAlias = admin.TabularInline[Any, Any]
else:
    BaseModelAdmin, ModelAdmin = _BaseModelAdmin, admin.ModelAdmin
    TabularInline = admin.TabularInline


class ReadOnly(BaseModelAdmin):
    """Rows are looked at: never added, changed or deleted."""

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Lines(ReadOnly, TabularInline):
    model = OrderLine
    fields = ["sku", "name", "quantity", "unit_price", "line_total"]


class Events(ReadOnly, TabularInline):
    model = OrderEvent
    fields = ["kind", "reason", "happened_at"]


@admin.register(Order)
class OrderAdmin(ReadOnly, ModelAdmin):
    list_display = ["number", "status", "total", "currency", "email", "principal", "created_at"]
    list_filter = ["status", "currency"]
    search_fields = ["number", "email", "saga_id"]
    readonly_fields = ["id", "saga_id", "confirmed_at", "cancelled_at"]
    date_hierarchy = "created_at"
    inlines = [Lines, Events]


@admin.register(Draft)
class DraftAdmin(ReadOnly, ModelAdmin):
    list_display = ["checkout_id", "total", "currency", "email", "principal", "created_at"]
    search_fields = ["checkout_id", "email"]
    readonly_fields = ["checkout_id"]


@admin.register(OrderLine)
class OrderLineAdmin(ReadOnly, ModelAdmin):
    list_display = ["order", "sku", "name", "quantity", "unit_price", "line_total"]
    list_select_related = ["order"]
    search_fields = ["order__number", "sku", "name"]


@admin.register(OrderEvent)
class OrderEventAdmin(ReadOnly, ModelAdmin):
    list_display = ["order", "kind", "reason", "happened_at"]
    list_filter = ["kind"]
    list_select_related = ["order"]
    search_fields = ["order__number", "order__email"]


@admin.register(Receipt)
class ReceiptAdmin(ReadOnly, ModelAdmin):
    list_display = ["saga_id", "step", "done_at", "undone_at", "created_at"]
    list_filter = ["step"]
    search_fields = ["saga_id"]
