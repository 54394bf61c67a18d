"""The mails, for reading only: a mail that was promised is neither edited nor deleted by hand."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from notifications.models import Message, Receipt

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Model]
else:
    _Admin = admin.ModelAdmin  # takes no type arguments at run time


class ReadOnlyAdmin(_Admin):
    """Takes every way to change rows out of a ModelAdmin."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = [
        "message_id",
        "kind",
        "status",
        "recipient",
        "attempts",
        "last_error",
        "created_at",
        "sent_at",
    ]
    list_filter = ["status", "kind", "created_at"]
    search_fields = ["=saga_id", "=recipient", "=message_id", "=order_ref"]


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ["saga_id", "step", "done_at", "undone_at", "created_at"]
    list_filter = ["step"]
    search_fields = ["=saga_id"]
