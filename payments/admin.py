"""Payments to look at: nothing here can be added, changed or deleted."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from payments.models import (
    OutboxEvent,
    PartialRefund,
    Payment,
    PaymentMethod,
    PaymentOperation,
    ProviderEvent,
    ProviderMovement,
    Receipt,
)
from sagas.events.admin import OutboxAdmin
from sagas.participant.staff import (
    ReadOnly,
    ReadOnlyAdmin,
    TabularInline,
    WithSaga,
    moment_of,
    money_of,
    saga_link,
)

_AMOUNT, _CAPTURED, _REFUNDED = money_of("amount"), money_of("captured"), money_of("refunded")
_DISPUTED, _UNDER_WAY = money_of("disputed"), money_of("refund_pending")
_MOVED = money_of("amount", currency="payment.currency")
_CREATED, _UPDATED = moment_of("created_at"), moment_of("updated_at")
_CANCELLED, _SETTLED = moment_of("cancelled_at"), moment_of("settled_at")
_NEXT_CHECK = moment_of("next_check_at", name="asked again")
_SEEN, _RECEIVED = moment_of("seen_at"), moment_of("received_at")
_DONE, _UNDONE = moment_of("done_at"), moment_of("undone_at")

_TONES = {
    "SUCCEEDED": "success",
    "REFUNDED": "info",
    "CANCELLED": "info",
    "DECLINED": "info",
    "FAILED": "info",
    "IN_DOUBT": "danger",
    "REVERSING": "warning",
    "PROCESSING": "warning",
    "REQUIRES_ACTION": "warning",
    "AUTHORISED": "success",
    "CAPTURING": "warning",
    "PENDING": "warning",
    "CREATED": "warning",
}


class Operations(ReadOnly, TabularInline):
    model = PaymentOperation
    hide_title = True
    fields: ClassVar[list[Any]] = [
        "kind",
        _MOVED,
        "status",
        "error_code",
        "provider_ref",
        "idempotency_key",
        _CREATED,
        _SETTLED,
    ]
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[PaymentOperation]:
        """Read the payment with its operations: it has the currency."""
        rows: QuerySet[PaymentOperation] = super().get_queryset(request)
        return rows.select_related("payment")


class Parts(ReadOnly, TabularInline):
    model = PartialRefund
    hide_title = True
    fields: ClassVar[list[Any]] = [
        _MOVED,
        "status",
        "error_code",
        "provider_ref",
        "saga",
        _CREATED,
        _SETTLED,
    ]
    readonly_fields = fields

    @admin.display(description="return")
    def saga(self, part: PartialRefund) -> str:
        return saga_link(part.saga_id, f"…{str(part.saga_id)[-8:]}")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PartialRefund]:
        """Read the payment with its parts: it has the currency."""
        rows: QuerySet[PartialRefund] = super().get_queryset(request)
        return rows.select_related("payment")


class Movements(ReadOnly, TabularInline):
    model = ProviderMovement
    hide_title = True
    fields: ClassVar[list[Any]] = [
        "kind",
        _MOVED,
        "status",
        "reason",
        "is_ours",
        "provider_ref",
        _SEEN,
        _UPDATED,
    ]
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderMovement]:
        """Read the payment with its movements: it has the currency."""
        rows: QuerySet[ProviderMovement] = super().get_queryset(request)
        return rows.select_related("payment")


@admin.register(Payment)
class PaymentAdmin(WithSaga, ReadOnlyAdmin):
    list_display = [
        "id",
        "badge",
        _AMOUNT,
        _CAPTURED,
        _REFUNDED,
        "decline_code",
        _CREATED,
        "saga_short",
    ]
    list_filter = ["status", "created_at"]
    search_fields = ["id", "saga_id", "order_id", "provider_ref"]
    search_help_text = "Payment, saga or order id, or the provider's"
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("status", _AMOUNT, "decline_code"),
                    (_CAPTURED, _REFUNDED, _UNDER_WAY, _DISPUTED),
                    (_CREATED, _UPDATED, _CANCELLED, "saga"),
                    ("order_id", "id", "manual_capture"),
                ]
            },
        ),
        ("At the provider", {"fields": [("provider", "provider_ref"), ("checks", _NEXT_CHECK)]}),
    ]
    readonly_fields = [
        "id",
        "saga",
        _AMOUNT,
        _CAPTURED,
        _REFUNDED,
        _UNDER_WAY,
        _DISPUTED,
        _CREATED,
        _UPDATED,
        _CANCELLED,
        _NEXT_CHECK,
    ]
    inlines = [Operations, Parts, Movements]

    @display(description="status", label=_TONES)
    def badge(self, payment: Payment) -> str:
        return str(payment.status)


@admin.register(PaymentOperation)
class PaymentOperationAdmin(ReadOnlyAdmin):
    list_display = ["idempotency_key", "kind", "badge", _MOVED, "error_code", _CREATED]
    list_filter = ["kind", "status"]
    list_select_related = ["payment"]
    ordering = ["-created_at", "-id"]
    search_fields = ["payment__id", "payment__saga_id", "idempotency_key"]
    search_help_text = "Idempotency key, payment or saga id"

    @display(description="status", label=_TONES)
    def badge(self, operation: PaymentOperation) -> str:
        return str(operation.status)


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnlyAdmin):
    list_display = ["event_id", "kind", "status", "outcome", "copies", "attempts", _RECEIVED]
    list_filter = ["status"]
    search_fields = ["event_id", "intent_ref"]
    search_help_text = "The provider's id of the event, or of the payment"


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ReadOnlyAdmin):
    list_display = ["checkout_id", _CREATED]
    #: The token itself is never shown.
    fields: ClassVar[list[Any]] = ["checkout_id", _CREATED]
    readonly_fields = fields
    search_fields = ["checkout_id"]
    search_help_text = "Checkout id"


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ["saga_id", "step", _DONE, _UNDONE, "result", "undo_result"]
    search_fields = ["saga_id"]
    search_help_text = "Saga id"


admin.site.register(OutboxEvent, OutboxAdmin)
