"""Pages over a large table: nothing counts all of its rows."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from django.core.paginator import Paginator
from django.db.models import QuerySet

# Django's paginator is generic for the type checker only.
if TYPE_CHECKING:
    _Paginator: TypeAlias = Paginator[Any]
else:
    _Paginator = Paginator

#: Rows that are counted at the most; beyond that a list says "more than".
MOST_COUNTED = 10_000


class BoundedPaginator(_Paginator):
    """Counts up to a bound: whoever leafs through 10,000 rows needs a filter, not a total."""

    object_list: QuerySet[Any]
    #: Unfold's foot of a list, which says "or more" at the bound.
    template_name = "console/_pagination.html"

    @cached_property
    def count(self) -> int:
        """Return how many rows there are, or the bound."""
        keys = self.object_list.order_by().values("pk")[: MOST_COUNTED + 1]
        return min(keys.count(), MOST_COUNTED)

    @property
    def is_cut(self) -> bool:
        """Whether there may be more than were counted."""
        return self.count == MOST_COUNTED
