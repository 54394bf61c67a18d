"""The saga list: one row tells the story, with one query a domain for the whole page."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList as _ChangeList
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.views import ChangeList as _UnfoldChangeList

from sagas import journal, registry
from sagas.console.filters import FILTERS
from sagas.evidence import Facts
from sagas.models import COMPENSATED, COMPENSATING, FAILED, Saga
from sagas.participant.staff import ReadOnlyAdmin
from sagas.registry import UnknownDefinition
from sagas.stuck import standing_of
from sagas.templatetags.console import amount, moment, tone

# Django's change list is generic for the type checker only.
if TYPE_CHECKING:
    ChangeList = _ChangeList
else:
    ChangeList = _UnfoldChangeList

_UNKNOWN = Facts()


class SagaChangeList(ChangeList):
    """Asks each domain once for the whole page."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page, and what the domains say of its rows."""
        super().get_results(request)
        facts = facts_of(self.result_list)
        for saga in self.result_list:
            saga.facts = facts.get(saga.pk, _UNKNOWN)


def facts_of(sagas: Iterable[Saga]) -> Mapping[UUID, Facts]:
    """Ask the domains about many sagas, with one query a domain and kind."""
    by_kind: dict[str, list[UUID]] = {}
    for saga in sagas:
        by_kind.setdefault(saga.kind, []).append(saga.pk)
    found: dict[UUID, Facts] = {}
    for kind, saga_ids in by_kind.items():
        try:
            evidence = registry.newest(kind).evidence
        except UnknownDefinition:
            continue
        if evidence is not None:
            found |= evidence.facts(saga_ids)
    return found


def find(text: str) -> Q:
    """Return the condition of the sagas that ``text`` names: exact matches by index only."""
    ids = [pk for kind in settings.SAGAS for pk in _found_by_domains(kind, text)]
    with suppress(ValueError):
        ids.append(UUID(text))
    return Q(pk__in=ids) | Q(idempotency_key=text)


def _found_by_domains(kind: str, text: str) -> Iterable[UUID]:
    evidence = registry.newest(kind).evidence
    return evidence.find(text) if evidence is not None else ()


class SagaListing(ReadOnlyAdmin):
    """The columns, filters and the search of the list."""

    list_display = (
        "order",
        "badge",
        "why",
        "progress",
        "money",
        "age",
        "tries",
    )
    list_display_links = ("order",)
    list_filter = FILTERS
    search_fields = ("pk",)
    search_help_text = "Order number, e-mail, saga id, provider reference or idempotency key."
    ordering = ("-created_at", "-id")
    sortable_by = ("badge", "money", "age")
    list_per_page = list_max_show_all = 50
    list_filter_submit = False
    list_before_template = "console/list_before.html"
    list_fullwidth = True

    class Media:
        css = {"all": ("console/console.css",)}
        js = ("console/times.js",)

    def get_changelist(self, request: HttpRequest, **_: Any) -> type[_ChangeList]:
        """Read the page with what the domains say."""
        return SagaChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Saga]:
        """Return all sagas, with what the database's clock says of each."""
        return journal.sagas_now().annotate(lived=Now() - F("created_at"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Saga], search_term: str
    ) -> tuple[QuerySet[Saga], bool]:
        """Find by what a shopper, a provider or a colleague can name."""
        text = search_term.strip()
        return (queryset.filter(find(text)) if text else queryset), False

    @admin.display(description="order and shopper")
    def order(self, saga: Any) -> SafeString:
        number = saga.facts.order_number or f"{saga.kind} {str(saga.pk)[:8]}"
        return _two_lines(number, saga.facts.shopper or saga.principal)

    @admin.display(description="state", ordering="state")
    def badge(self, saga: Saga) -> SafeString:
        return _badge(saga.state, tone(saga.state))

    @admin.display(description="why it waits")
    def why(self, saga: Saga) -> SafeString | str:
        try:
            standing = standing_of(saga)
        except UnknownDefinition:
            return _badge(f"version {saga.version} is not deployed", "bad")
        if not standing.words:
            return saga.reason
        return _badge(standing.words, "bad mg-wrap" if standing.stuck else "busy mg-wrap")

    @admin.display(description="progress")
    def progress(self, saga: Saga) -> str:
        try:
            states = saga.definition.states
        except UnknownDefinition:
            return "unknown"
        forward = saga.state if saga.state in states else saga.reached
        back = " back" if saga.state in (COMPENSATING, COMPENSATED, FAILED) else ""
        return f"{states.index(forward)} of {len(states) - 1}{back}"

    @admin.display(description="money and stock", ordering="amount")
    def money(self, saga: Any) -> SafeString:
        units = saga.facts.units_held
        held = "stock unknown" if units is None else f"{units} held" if units else "no stock held"
        return _two_lines(self._money(saga), held)

    def _money(self, saga: Any) -> SafeString | str:
        facts: Facts = saga.facts
        whole = amount(saga.amount, saga.currency)
        if facts.charged is None or facts.refunded is None:
            return f"{whole}, payment unknown"
        if facts.in_doubt:
            return format_html("{} {}", whole, _badge("in doubt", "bad"))
        if facts.refunded:
            return f"{whole} refunded"
        return f"{whole} charged" if facts.charged else f"{whole} not charged"

    @admin.display(description="started", ordering="created_at")
    def age(self, saga: Saga) -> SafeString | str:
        return moment(saga.created_at)

    @admin.display(description="attempts, the next one")
    def tries(self, saga: Saga) -> SafeString | str:
        if saga.next_attempt_at is None:
            return str(saga.attempts)
        return _two_lines(str(saga.attempts), moment(saga.next_attempt_at))


def _badge(words: str, kind: str) -> SafeString:
    return format_html(
        '<span class="mg-inline"><span class="mg-badge mg-{}">{}</span></span>', kind, words
    )


def _two_lines(first: SafeString | str, second: SafeString | str) -> SafeString:
    return format_html(
        '<span class="mg-lines"><span class="mg-whole">{}</span><br>{}</span>', first, second
    )
