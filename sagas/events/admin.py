"""The admin pages of outboxes and inboxes, the same for every domain."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from sagas.events import broker, inbox
from sagas.events.models import AbstractInboxEntry, AbstractOutboxEvent, Handling
from sagas.participant.money import written
from sagas.participant.rowverbs import NotDone, RowVerb, WithVerbs
from sagas.participant.staff import ReadOnlyAdmin, moment_of, saga_link

_HAPPENED, _RELAYED = moment_of("happened_at"), moment_of("relayed_at")
_RECEIVED, _DONE = moment_of("received_at"), moment_of("done_at")
_NEXT, _CLAIMED = (
    moment_of("next_attempt_at", name="next attempt"),
    moment_of("claimed_until", name="claimed until"),
)


def said(payload: Mapping[str, Any]) -> str:
    """Return what an event says, for people: amounts as they write them, and no ids."""
    currency = str(payload.get("currency", ""))
    lines = [f"{line['quantity']} x {line['sku']}" for line in payload.get("lines", ())]
    amounts = [written(payload[name], currency) for name in ("total", "amount") if name in payload]
    left = [f"{payload['available']} left"] if "available" in payload else []
    late = ["late"] if payload.get("late") else []
    codes = [str(payload[name]) for name in ("number", "sku", "kind", "reason") if name in payload]
    return ", ".join(filter(None, [*codes, *lines, *amounts, *left, *late]))


class _OfSaga:
    """Adds the field ``saga``, which is empty for an event that belongs to none."""

    @admin.display(description="saga", empty_value="-")
    def saga(self, row: Any) -> SafeString | None:
        return saga_link(row.saga_id, f"…{str(row.saga_id)[-8:]}") if row.saga_id else None

    @admin.display(description="says")
    def says(self, row: Any) -> SafeString:
        return format_html('<span class="mg-nowrap">{}</span>', said(row.payload))


class OutboxAdmin(_OfSaga, ReadOnlyAdmin):
    """What a domain told, and whether it has arrived."""

    list_display = ("sequence", "type", "says", "badge", _HAPPENED, "saga")
    search_fields = ("event_id", "saga_id")
    search_help_text = "Event or saga id"
    fields: ClassVar[list[Any]] = [
        ("type", "aggregate", "sequence"),
        (_HAPPENED, _RELAYED, _RECEIVED),
        ("event_id", "saga", _CLAIMED),
        "payload",
    ]
    readonly_fields = ("saga", _HAPPENED, _RELAYED, _RECEIVED, _CLAIMED)

    @display(
        description="status",
        label={"received": "success", "relayed": "info", "waiting": "warning"},
    )
    def badge(self, event: AbstractOutboxEvent) -> str:
        if event.received_at:
            return "received"
        return "relayed" if event.relayed_at else "waiting"


class InboxAdmin(_OfSaga, WithVerbs):
    """What a domain's consumers heard, and what they could not handle."""

    list_display = ("type", "consumer", "badge", "attempts", "last_error", _HAPPENED, "saga")
    list_filter = ("status",)
    search_fields = ("event_id", "saga_id")
    search_help_text = "Event or saga id"
    fields: ClassVar[list[Any]] = [
        ("type", "consumer", "status"),
        ("attempts", "last_error", _NEXT),
        (_HAPPENED, _RECEIVED, _DONE),
        ("event_id", "aggregate", "saga"),
        "payload",
    ]
    readonly_fields = ("saga", _HAPPENED, _RECEIVED, _DONE, _NEXT)

    def __init__(self, model: Any, admin_site: Any) -> None:
        super().__init__(model, admin_site)
        self.verbs = [
            RowVerb(
                name="replay",
                label="Try again",
                explanation=(
                    "The consumer is tried again with this event, with all its attempts. It has "
                    "its effect once: an event that is done already is left alone."
                ),
                permission=f"{model._meta.app_label}.replay_inboxentry",
                act=self.replay,
                is_offered=lambda entry: entry.status == Handling.DEAD,
            )
        ]

    def replay(self, entry_id: Any) -> str:
        """Put a given-up event back to work."""
        if not inbox.replay(self.model, entry_id):
            raise NotDone("it is not given up any more")
        broker.ask_for_a_tick()
        return "it is tried again"

    @display(
        description="status", label={"DONE": "success", "WAITING": "warning", "DEAD": "danger"}
    )
    def badge(self, entry: AbstractInboxEntry) -> str:
        return str(entry.status)
