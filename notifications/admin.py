"""The mails, for reading only: a mail that was promised is neither edited nor deleted by hand."""

from django.contrib import admin
from unfold.decorators import display

from notifications.models import Message, Receipt
from sagas.participant.staff import ReadOnlyAdmin, WithSaga


@admin.register(Message)
class MessageAdmin(WithSaga, ReadOnlyAdmin):
    list_display = [
        "message_id",
        "kind",
        "badge",
        "recipient",
        "attempts",
        "last_error",
        "created_at",
        "sent_at",
        "saga",
    ]
    list_filter = ["status", "kind"]
    search_fields = ["saga_id", "message_id"]
    search_help_text = "Saga id or Message-ID, whole."
    readonly_fields = ["saga"]

    @display(
        description="status", label={"SENT": "success", "PENDING": "warning", "CANCELLED": "info"}
    )
    def badge(self, message: Message) -> str:
        return str(message.status)


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ["saga_id", "step", "done_at", "undone_at", "created_at"]
    list_filter = ["step"]
    search_fields = ["saga_id"]
