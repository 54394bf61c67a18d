"""What the admin pages of all domains share: read-only rows, found by index, linked to a saga."""

from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.options import BaseModelAdmin as _BaseModelAdmin
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin as _ModelAdmin
from unfold.admin import TabularInline as _TabularInline

from sagas.participant.moments import shown
from sagas.participant.money import written
from sagas.participant.paging import BoundedPaginator

__all__ = [
    "ModelAdmin",
    "ReadOnly",
    "ReadOnlyAdmin",
    "TabularInline",
    "WithSaga",
    "moment_of",
    "money_of",
    "saga_link",
]

#: Rows that one field's value may find: more are not looked through by hand.
_MOST_FOUND = 1_000

# Django's admin classes are generic for the type checker only.
if TYPE_CHECKING:
    BaseModelAdmin: TypeAlias = _BaseModelAdmin[Any]
    ModelAdmin: TypeAlias = admin.ModelAdmin[Any]
    TabularInline: TypeAlias = admin.TabularInline[Any, Any]
else:
    BaseModelAdmin, ModelAdmin, TabularInline = _BaseModelAdmin, _ModelAdmin, _TabularInline


class ReadOnly(BaseModelAdmin):
    """Rows are looked at: never added or deleted, and changed only where ``changeable`` says so."""

    changeable = False

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.changeable and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnly, ModelAdmin):
    """Pages of rows to look at, fast on large tables.

    A search compares whole values, each of ``search_fields`` by an index of its own: parts of
    words, or fields of two tables in one condition, would read the whole table. A field that
    begins with "=" is compared in any case of letters. The list counts up to a bound and sorts by
    no column unless ``sortable_by`` names it, for the same reason.
    """

    show_full_result_count = False
    #: A label stands above its value: beside it there is no room for ids and addresses.
    compressed_fields = False
    paginator = BoundedPaginator
    sortable_by: ClassVar[tuple[str, ...] | None] = ()

    class Media:
        js = ("console/times.js",)

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Return the list; one that nothing narrows does not offer to show all."""
        rows = super().get_changelist_instance(request)
        if not rows.query and not rows.has_active_filters:
            rows.full_result_count = rows.result_count
        return rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows one of whose ``search_fields`` is what was typed."""
        text = search_term.strip()
        if not text:
            return queryset, False
        found: set[Any] = set()
        for name in self.search_fields:
            path, lookup = (name[1:], "iexact") if name.startswith("=") else (name, "exact")
            with suppress(ValidationError):
                value = get_fields_from_path(queryset.model, path)[-1].to_python(text)
                rows = queryset.order_by().filter(**{f"{path}__{lookup}": value})
                found.update(rows.values_list("pk", flat=True)[:_MOST_FOUND])
        return queryset.filter(pk__in=found), False


class WithSaga:
    """Adds the field ``saga`` and the column ``saga_short``: links to the row's saga."""

    @admin.display(description="saga")
    def saga(self, row: Any) -> SafeString:
        """Return the link, with the whole id."""
        return saga_link(row.saga_id, str(row.saga_id))

    @admin.display(description="saga")
    def saga_short(self, row: Any) -> SafeString:
        """Return the link, with the end of the id: ids of one time begin alike."""
        return saga_link(row.saga_id, f"…{str(row.saga_id)[-8:]}")


def saga_link(saga_id: UUID, text: str) -> SafeString:
    """Return a link to the page of a saga."""
    page = reverse("admin:sagas_saga_change", args=[saga_id])
    return format_html('<a class="mg-link" href="{}" title="{}">{}</a>', page, saga_id, text)


# Both return a function, which Django takes for a column and for a field alike; its stubs know
# fields by name only.


def money_of(field: str, *, currency: str = "currency") -> Any:
    """Return a column that writes the minor units in ``field``; ``currency`` may be dotted."""
    read = attrgetter(field, currency)

    @admin.display(description=field.replace("_", " "), ordering=field)
    def money(row: Any) -> SafeString:
        return format_html('<span class="mg-money">{}</span>', written(*read(row)))

    return money


def moment_of(field: str, *, name: str = "") -> Any:
    """Return a column that shows the moment in ``field`` in the viewer's zone."""
    read = attrgetter(field)

    @admin.display(description=name or field.removesuffix("_at"), ordering=field, empty_value="-")
    def moment(row: Any) -> SafeString | str:
        return shown(read(row))

    return moment
