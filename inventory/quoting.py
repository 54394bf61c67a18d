"""What is for sale, at which price, and whether a cart could be served now. It changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from django.db.models import QuerySet

from inventory.models import DATABASE, SKU_PATTERN, Product


class CartLine(TypedDict):
    """What a shopper asks for: ``quantity`` units, 1 or more, of ``sku``."""

    sku: str
    quantity: int


@dataclass(frozen=True, kw_only=True)
class QuoteLine:
    """One product at today's price, in minor units, and how many units could be sold now."""

    sku: str
    name: str
    quantity: int
    unit_price: int
    available: int

    @property
    def line_total(self) -> int:
        """Price of the whole line, in minor units."""
        return self.quantity * self.unit_price


@dataclass(frozen=True, kw_only=True)
class Quote:
    """A cart at today's prices; amounts in minor units of ``currency``. It holds nothing."""

    currency: str
    lines: Sequence[QuoteLine]

    @property
    def total(self) -> int:
        """Price of the whole cart, in minor units."""
        return sum(line.line_total for line in self.lines)


@dataclass(frozen=True, kw_only=True)
class Shortage:
    """A line that cannot be served: ``available`` units are there, fewer than ``wanted``."""

    sku: str
    wanted: int
    available: int


class UnknownProducts(Exception):
    """Some SKUs are not for sale: they do not exist, or are not active."""

    code = "unknown-products"

    def __init__(self, skus: Sequence[str]) -> None:
        self.skus = list(skus)
        # The words may come from a shopper, so that they stay out of the message and the logs.
        super().__init__(f"{len(self.skus)} of the products are not for sale")


class MixedCurrencies(Exception):
    """One order has one currency; these products have several."""

    code = "mixed-currencies"

    def __init__(self, currencies: Sequence[str]) -> None:
        self.currencies = list(currencies)
        super().__init__(f"the products are priced in {', '.join(self.currencies)}")


def products_for_sale() -> QuerySet[Product]:
    """Return the active products with their stock, in one query."""
    return (
        Product.objects.using(DATABASE)
        .filter(active=True, stock__isnull=False)
        .select_related("stock")
        .order_by("sku")
    )


def find_product(*, sku: str) -> Product | None:
    """Return the product for sale under ``sku``, or None."""
    if not SKU_PATTERN.fullmatch(sku):
        return None
    return products_for_sale().filter(sku=sku).first()


def quote(*, lines: Sequence[CartLine]) -> Quote:
    """Price a cart; lines of one SKU are merged, the order of first mention is kept.

    Args:
        lines: one or more.

    Raises:
        UnknownProducts: a SKU is unknown or not for sale.
        MixedCurrencies: the products are not priced in one currency.
    """
    wanted = merge(lines)
    products = products_for_sale().in_bulk([sku for sku in wanted if SKU_PATTERN.fullmatch(sku)])
    unknown = [sku for sku in wanted if sku not in products]
    if unknown:
        raise UnknownProducts(unknown)
    currencies = sorted({product.currency for product in products.values()})
    if len(currencies) > 1:
        raise MixedCurrencies(currencies)
    return Quote(
        currency=currencies[0],
        lines=[_quote_line(products[sku], quantity) for sku, quantity in wanted.items()],
    )


def shortages(quote: Quote) -> Sequence[Shortage]:
    """Return the lines that could not be served when ``quote`` was made."""
    return [
        Shortage(sku=line.sku, wanted=line.quantity, available=line.available)
        for line in quote.lines
        if line.available < line.quantity
    ]


def merge(lines: Sequence[CartLine]) -> dict[str, int]:
    """Return SKU -> units wanted in all, in the order of first mention."""
    wanted: dict[str, int] = {}
    for line in lines:
        if line["quantity"] < 1:
            raise ValueError(f"a line asks for one unit or more, not {line['quantity']}")
        wanted[line["sku"]] = wanted.get(line["sku"], 0) + line["quantity"]
    if not wanted:
        raise ValueError("a cart has one line or more")
    return wanted


def _quote_line(product: Product, quantity: int) -> QuoteLine:
    return QuoteLine(
        sku=product.sku,
        name=product.name,
        quantity=quantity,
        unit_price=product.price,
        available=product.stock.available,
    )
