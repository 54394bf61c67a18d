"""Payments to look at: nothing here can be added, changed or deleted."""

from django.contrib import admin
from unfold.decorators import display

from payments.models import Payment, PaymentMethod, PaymentOperation, Receipt
from sagas.participant.money import written
from sagas.participant.staff import ReadOnly, ReadOnlyAdmin, TabularInline, WithSaga


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
class PaymentAdmin(WithSaga, ReadOnlyAdmin):
    list_display = (
        "id",
        "badge",
        "written_amount",
        "written_captured",
        "written_refunded",
        "decline_code",
        "created_at",
        "saga",
    )
    list_filter = ("status", "provider", "currency")
    search_fields = ("id", "saga_id", "order_id", "provider_ref")
    search_help_text = "Payment id, saga id, order id or the provider's id, whole."
    readonly_fields = ("saga",)
    inlines = (OperationInline,)

    @display(
        description="status",
        label={
            "SUCCEEDED": "success",
            "REFUNDED": "info",
            "CANCELLED": "info",
            "DECLINED": "info",
            "IN_DOUBT": "danger",
            "REVERSING": "warning",
            "PROCESSING": "warning",
            "CREATED": "warning",
        },
    )
    def badge(self, payment: Payment) -> str:
        return str(payment.status)

    @admin.display(description="amount", ordering="amount")
    def written_amount(self, payment: Payment) -> str:
        return written(payment.amount, payment.currency)

    @admin.display(description="captured")
    def written_captured(self, payment: Payment) -> str:
        return written(payment.captured, payment.currency)

    @admin.display(description="refunded")
    def written_refunded(self, payment: Payment) -> str:
        return written(payment.refunded, payment.currency)


@admin.register(PaymentOperation)
class PaymentOperationAdmin(ReadOnlyAdmin):
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
    search_fields = ("payment__id", "payment__saga_id", "idempotency_key")


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ReadOnlyAdmin):
    #: The token itself is never shown.
    list_display = fields = ("checkout_id", "created_at")
    search_fields = ("checkout_id",)


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ("saga_id", "step", "done_at", "undone_at", "result", "undo_result")
    list_filter = ("step",)
    search_fields = ("saga_id",)
