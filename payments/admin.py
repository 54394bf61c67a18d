"""Payments to look at: nothing here can be added, changed or deleted."""

from typing import TYPE_CHECKING, Any, TypeAlias

from django.contrib import admin
from django.contrib.admin.options import BaseModelAdmin as _BaseModelAdmin
from django.http import HttpRequest

from payments.models import Payment, PaymentMethod, PaymentOperation, Receipt

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


class OperationInline(ReadOnly, TabularInline):
    model = PaymentOperation
    extra = 0
    fields = (
        "kind",
        "generation",
        "amount",
        "status",
        "provider_ref",
        "error_code",
        "created_at",
        "settled_at",
    )


@admin.register(Payment)
class PaymentAdmin(ReadOnly, ModelAdmin):
    list_display = (
        "id",
        "saga_id",
        "status",
        "amount",
        "captured",
        "refunded",
        "currency",
        "decline_code",
        "created_at",
    )
    list_filter = ("status", "provider", "currency")
    search_fields = ("=id", "=saga_id", "=order_id", "=provider_ref")
    date_hierarchy = "created_at"
    inlines = (OperationInline,)


@admin.register(PaymentOperation)
class PaymentOperationAdmin(ReadOnly, ModelAdmin):
    list_display = (
        "idempotency_key",
        "kind",
        "status",
        "amount",
        "error_code",
        "created_at",
        "settled_at",
    )
    list_filter = ("kind", "status")
    search_fields = ("=payment__id", "=payment__saga_id", "=idempotency_key", "=provider_ref")


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ReadOnly, ModelAdmin):
    #: The token itself is never shown.
    list_display = fields = ("checkout_id", "created_at")
    search_fields = ("=checkout_id",)


@admin.register(Receipt)
class ReceiptAdmin(ReadOnly, ModelAdmin):
    list_display = ("saga_id", "step", "done_at", "undone_at", "result", "undo_result")
    list_filter = ("step",)
    search_fields = ("=saga_id",)
