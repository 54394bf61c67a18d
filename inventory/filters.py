"""How the catalogue is searched; a value that makes no sense is a field error, never ignored."""

from django.core.validators import RegexValidator
from django.db.models import F, Q, QuerySet
from django_filters import rest_framework as filters

from inventory.models import CURRENCY_PATTERN, Product


class ProductFilter(filters.FilterSet):
    """The query parameters of the product list."""

    sku = filters.CharFilter(max_length=64, help_text="Exactly this SKU.")
    search = filters.CharFilter(
        method="matching", max_length=100, help_text="Part of the name, description or SKU."
    )
    # A BooleanFilter would take any other word for "not given".
    available = filters.ChoiceFilter(
        method="in_stock",
        choices=[("true", "in stock"), ("false", "sold out")],
        help_text="Whether at least one unit can be bought now.",
    )
    currency = filters.CharFilter(
        validators=[RegexValidator(rf"\A{CURRENCY_PATTERN.pattern}\Z", "Give three letters: EUR.")],
        help_text="ISO 4217 code.",
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
