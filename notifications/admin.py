"""The mails, for reading only: a mail that was promised is neither edited nor deleted by hand."""

from django.contrib import admin
from unfold.decorators import display

from notifications.models import Message, Receipt
from sagas.participant.staff import ReadOnlyAdmin, WithSaga, moment_of

_CREATED, _SENT = moment_of("created_at"), moment_of("sent_at")
_CLAIMED = moment_of("claimed_until", name="claimed until")
_DONE, _UNDONE = moment_of("done_at"), moment_of("undone_at")


@admin.register(Message)
class MessageAdmin(WithSaga, ReadOnlyAdmin):
    list_display = [
        "recipient",
        "kind",
        "badge",
        "last_error",
        _CREATED,
        "saga_short",
    ]
    list_filter = ["status", "kind", "created_at"]
    search_fields = ["=recipient", "saga_id", "message_id"]
    search_help_text = "Recipient, saga id or Message-ID"
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("kind", "status", "attempts"),
                    (_CREATED, _SENT, _CLAIMED),
                    ("last_error", "saga", "order_ref"),
                ]
            },
        ),
        # The HTML part says the same as the text.
        ("Mail", {"fields": [("recipient", "message_id"), "subject", "text_body"]}),
    ]
    readonly_fields = ["saga", _CREATED, _SENT, _CLAIMED]

    @display(
        description="status", label={"SENT": "success", "PENDING": "warning", "CANCELLED": "info"}
    )
    def badge(self, message: Message) -> str:
        return str(message.status)


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ["saga_id", "step", _DONE, _UNDONE, _CREATED]
    search_fields = ["saga_id"]
    search_help_text = "Saga id"
