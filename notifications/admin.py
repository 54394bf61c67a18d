"""The mails, for reading only: a mail that was promised is neither edited nor deleted by hand."""

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from unfold.decorators import display

from notifications import notices
from notifications.models import InboxEntry, Message, Notice, NoticeStatus, OutboxEvent, Receipt
from notifications.webhooks import admin as webhooks
from sagas.events.admin import InboxAdmin, OutboxAdmin
from sagas.participant.rowverbs import NotDone, RowVerb, WithVerbs
from sagas.participant.staff import ReadOnlyAdmin, WithSaga, moment_of

_CREATED, _SENT = moment_of("created_at"), moment_of("sent_at")
_CLAIMED = moment_of("claimed_until", name="claimed until")
_NEXT = moment_of("next_attempt_at", name="next attempt")
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


def _send_again(notice_id: UUID) -> str:
    if not notices.send_again(notice_id):
        raise NotDone("it is not given up any more")
    notices.ask_to_send()
    return "it is sent again"


@admin.register(Notice)
class NoticeAdmin(WithVerbs):
    list_display = ["recipient", "topic", "sku", "badge", "last_error", _CREATED, _SENT]
    list_filter = ["status", "topic"]
    search_fields = ["=recipient", "sku"]
    search_help_text = "Recipient or SKU"
    fields: ClassVar[list[Any]] = [
        ("topic", "sku", "status"),
        ("recipient", "product_name", "available"),
        ("attempts", "last_error", _NEXT),
        (_CREATED, _SENT),
    ]
    readonly_fields = [_CREATED, _SENT, _NEXT]
    verbs = [
        RowVerb(
            name="send-again",
            label="Send again",
            explanation="The mail is sent again, with all its attempts, under its Message-ID.",
            permission="notifications.resend_notice",
            act=_send_again,
            is_offered=lambda notice: notice.status == NoticeStatus.GIVEN_UP,
        )
    ]

    @display(
        description="status",
        label={"SENT": "success", "DUE": "warning", "WAITING": "info", "GIVEN_UP": "danger"},
    )
    def badge(self, notice: Notice) -> str:
        return str(notice.status)


webhooks.register(admin.site)
admin.site.register(OutboxEvent, OutboxAdmin)
admin.site.register(InboxEntry, InboxAdmin)
