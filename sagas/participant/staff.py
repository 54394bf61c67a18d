"""What the admin pages of all domains share: read-only rows, found by index, linked to a saga."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.options import BaseModelAdmin as _BaseModelAdmin
from django.contrib.admin.utils import get_fields_from_path
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin as _ModelAdmin
from unfold.admin import TabularInline as _TabularInline

from sagas.participant.paging import BoundedPaginator

__all__ = ["ModelAdmin", "ReadOnly", "ReadOnlyAdmin", "TabularInline", "WithSaga", "saga_link"]

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

    A search compares whole values, by index: parts of words would read the whole table. The
    list counts up to a bound, for the same reason.
    """

    show_full_result_count = False
    paginator = BoundedPaginator

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows one of whose ``search_fields`` is what was typed."""
        text = search_term.strip()
        if not text:
            return queryset, False
        condition = Q(pk__in=[])
        for name in self.search_fields:
            with suppress(ValidationError):
                field = get_fields_from_path(queryset.model, name)[-1]
                condition |= Q(**{name: field.to_python(text)})
        return queryset.filter(condition), False


class WithSaga:
    """Adds the column and the field ``saga``: a link to the page of the row's saga."""

    @admin.display(description="saga")
    def saga(self, row: Any) -> SafeString:
        """Return the link."""
        return saga_link(row.saga_id)


def saga_link(saga_id: UUID) -> SafeString:
    """Return a link to the page of a saga."""
    page = reverse("admin:sagas_saga_change", args=[saga_id])
    return format_html('<a class="mg-link" href="{}">{}</a>', page, saga_id)
