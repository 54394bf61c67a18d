"""What a shopper posted, before an order is made of it and while one could still be."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import NotRequired, Protocol, TypedDict
from uuid import UUID

from django.db.models.functions import Now

from orders.models import ADDRESS_PARTS, DATABASE, Draft
from sagas.participant import crash


class ShippingAddress(TypedDict):
    """Where an order goes; ``country`` is an ISO 3166-1 alpha-2 code."""

    name: str
    line1: str
    line2: NotRequired[str]
    city: str
    postal_code: str
    country: str


class PricedLine(Protocol):
    """A cart's line with its price in minor units, from whoever knows prices."""

    @property
    def sku(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def quantity(self) -> int: ...
    @property
    def unit_price(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class BasketLine:
    """One line of a basket; amounts in minor units."""

    sku: str
    name: str
    quantity: int
    unit_price: int

    @property
    def line_total(self) -> int:
        """Price of the whole line, in minor units."""
        return self.quantity * self.unit_price


@dataclass(frozen=True, kw_only=True)
class Basket:
    """What a checkout buys, at the prices that were promised; amounts in minor units."""

    currency: str
    total: int
    lines: Sequence[BasketLine]


class DraftMissing(Exception):
    """Nothing was posted under this checkout, or it was purged."""

    code = "draft-missing"


def save_draft(
    *,
    checkout_id: UUID,
    principal: str,
    email: str,
    shipping_address: ShippingAddress,
    lines: Sequence[PricedLine],
    currency: str,
) -> Draft:
    """Keep what a shopper posted, under the id that its checkout is going to have.

    Args:
        principal: who posts, such as ``user:42`` or ``guest``.
        lines: one or more, a SKU once, with the prices promised to the shopper.
    """
    basket = [
        BasketLine(sku=line.sku, name=line.name, quantity=line.quantity, unit_price=line.unit_price)
        for line in lines
    ]
    with crash.statement("orders.save_draft", using=DATABASE):
        return Draft.objects.using(DATABASE).create(
            checkout_id=checkout_id,
            principal=principal,
            email=email,
            lines=[asdict(line) for line in basket],
            currency=currency,
            total=sum(line.line_total for line in basket),
            **{f"shipping_{part}": shipping_address.get(part, "") for part in ADDRESS_PARTS},
        )


def discard_draft(*, checkout_id: UUID) -> bool:
    """Delete the draft of a checkout that was not accepted; tell whether there was one."""
    with crash.committing("orders.discard_draft", using=DATABASE):
        deleted, _ = Draft.objects.using(DATABASE).filter(pk=checkout_id).delete()
    return deleted > 0


def draft_of(*, checkout_id: UUID) -> Draft:
    """Return the draft of a checkout.

    Raises:
        DraftMissing: there is none (any more).
    """
    draft = Draft.objects.using(DATABASE).filter(pk=checkout_id).first()
    if draft is None:
        raise DraftMissing(f"checkout {checkout_id} has no draft")
    return draft


def drafted_basket(draft: Draft) -> Basket:
    """Return what ``draft`` buys."""
    return Basket(
        currency=draft.currency,
        total=draft.total,
        lines=[BasketLine(**line) for line in draft.lines],
    )


def purge_drafts(*, older_than: timedelta) -> int:
    """Delete drafts of that age by the database's clock; return how many.

    An order keeps its own copy, so that only checkouts without an order forget their shopper.
    """
    old = Draft.objects.using(DATABASE).filter(created_at__lt=Now() - older_than)
    with crash.committing("orders.purge_drafts", using=DATABASE):
        deleted, _ = old.delete()
    return deleted
