"""How the catalogue is searched; a value that makes no sense is a field error, never ignored."""

from typing import Any

from django.core.validators import RegexValidator
from django.db.models import F, Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field

from inventory.models import CURRENCY_PATTERN, Product

#: PostgreSQL holds no NUL in a text.
_NO_NUL = r"^[^\u0000]*$"


def _told(field: filters.Filter, **constraints: Any) -> filters.Filter:
    """Tell in the OpenAPI document what ``field`` takes; drf-spectacular sees its type only."""
    # Its types know serializer fields and views only.
    tell: Any = extend_schema_field({"type": "string", **constraints})
    told: filters.Filter = tell(field)
    return told


class ProductFilter(filters.FilterSet):
    """The query parameters of the product list."""

    sku = _told(
        filters.CharFilter(max_length=64, help_text="Exactly this SKU."),
        maxLength=64,
        pattern=_NO_NUL,
    )
    search = _told(
        filters.CharFilter(
            method="matching", max_length=100, help_text="Part of the name, description or SKU."
        ),
        maxLength=100,
        pattern=_NO_NUL,
    )
    # A BooleanFilter would take any other word for "not given". An empty value means just that.
    available = _told(
        filters.ChoiceFilter(
            method="in_stock",
            choices=[("true", "in stock"), ("false", "sold out")],
            help_text="Whether at least one unit can be bought now.",
        ),
        enum=["true", "false", ""],
    )
    currency = _told(
        filters.CharFilter(
            validators=[
                RegexValidator(rf"\A{CURRENCY_PATTERN.pattern}\Z", "Give three letters: EUR.")
            ],
            help_text="ISO 4217 code.",
        ),
        pattern=f"^({CURRENCY_PATTERN.pattern})?$",
    )

    def matching(self, products: QuerySet[Product], _: str, value: str) -> QuerySet[Product]:
        """Keep products that have ``value`` somewhere in what a shopper reads."""
        return products.filter(
            Q(name__icontains=value) | Q(description__icontains=value) | Q(sku__icontains=value)
        )

    def in_stock(self, products: QuerySet[Product], _: str, value: str) -> QuerySet[Product]:
        """Keep products that can be bought now, or those that cannot."""
        if value == "true":
            return products.filter(stock__on_hand__gt=F("stock__reserved"))
        return products.filter(stock__on_hand=F("stock__reserved"))
