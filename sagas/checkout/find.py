"""The find box: from whatever a shopper or the provider quotes to the pages about it.

What is typed may be an e-mail address: only ``orders`` is asked about it, and it is neither logged
nor kept. Whole values are compared, by index, and the number of queries does not depend on how
much is found.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import Error as DatabaseError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from inventory.models import DATABASE as INVENTORY
from inventory.models import Reservation
from notifications.models import DATABASE as NOTIFICATIONS
from notifications.models import Message
from orders import services as orders
from orders.models import DATABASE as ORDERS
from orders.models import Order
from payments import services as payments
from payments.models import DATABASE as PAYMENTS
from payments.models import Payment
from sagas.evidence import Link
from sagas.models import DATABASE, Saga

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Checkouts that are shown at the most; whoever has more asks for an order number.
MOST_SHOWN = 50
#: Longer than any address, number, key or reference that is kept.
_LONGEST = 320


@dataclass(frozen=True, kw_only=True)
class Part:
    """A model whose rows belong to a checkout by ``saga_id`` and have a page of their own."""

    database: str
    model: type[Model]
    label: Callable[[Any], str]

    def rows(self) -> QuerySet[Any]:
        """Return all of them."""
        return self.model._default_manager.using(self.database)

    def link_to(self, row: Any) -> Link:
        """Return the page of ``row``."""
        meta = self.model._meta
        page = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
        return Link(label=self.label(row), url=page)

    @property
    def permission(self) -> str:
        """The permission that its pages ask for."""
        return f"{self.model._meta.app_label}.view_{self.model._meta.model_name}"


PARTS = (
    Part(database=ORDERS, model=Order, label=lambda row: "Order"),
    Part(database=PAYMENTS, model=Payment, label=lambda row: "Payment"),
    Part(database=INVENTORY, model=Reservation, label=lambda row: "Reservation"),
    Part(database=NOTIFICATIONS, model=Message, label=lambda row: f"Mail: {row.kind}"),
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """One checkout and the pages about its parts; ``shopper`` is masked."""

    saga: Saga
    order_number: str
    shopper: str
    links: Sequence[Link]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found, the newest first, and which databases did not answer."""

    rows: Sequence[Found] = ()
    more: bool = False
    silent: Sequence[str] = ()


def find_page(request: HttpRequest) -> HttpResponse:
    """Show what ``?q=`` leads to; one checkout alone is shown at once.

    Raises:
        PermissionDenied: the viewer may not see sagas.
    """
    if not request.user.has_perm("sagas.view_saga"):
        raise PermissionDenied
    text = request.GET.get("q", "").strip()[:_LONGEST]
    finding = find(text, [part for part in PARTS if request.user.has_perm(part.permission)])
    if len(finding.rows) == 1:
        return redirect("admin:sagas_saga_change", finding.rows[0].saga.pk)
    shown = {"title": "Find", "text": text, "finding": finding, "most": MOST_SHOWN}
    return render(request, "console/find.html", {**admin.site.each_context(request), **shown})


def find(text: str, parts: Sequence[Part] = PARTS) -> Finding:
    """Return the checkouts that ``text`` names, with links to ``parts``.

    It may be an e-mail address, an order number, an idempotency key, a reference of the provider,
    or the id of a saga, order, payment, reservation or message.
    """
    if not text or "\0" in text:  # PostgreSQL's text knows no NUL
        return Finding()
    silent: list[str] = []
    ids = _named_by(text, silent)
    newest = Saga.objects.using(DATABASE).filter(pk__in=ids).order_by("-created_at", "-id")
    sagas = list(newest[: MOST_SHOWN + 1])
    rows = _with_parts(sagas[:MOST_SHOWN], parts, silent)
    return Finding(rows=rows, more=len(sagas) > MOST_SHOWN, silent=list(dict.fromkeys(silent)))


def _named_by(text: str, silent: list[str]) -> set[UUID]:
    key = Saga.objects.using(DATABASE).filter(idempotency_key=text)
    ids = set(key.values_list("pk", flat=True)[: MOST_SHOWN + 1])
    ids |= set(_ask(ORDERS, silent, lambda: orders.sagas_of(text=text)) or ())
    ids |= set(_ask(PAYMENTS, silent, lambda: payments.sagas_with_ref(provider_ref=text)) or ())
    with suppress(ValueError):
        ids |= _owning(UUID(text), silent)
    return ids


def _owning(pk: UUID, silent: list[str]) -> set[UUID]:
    """Return ``pk`` as a saga's id, and the sagas of the parts that have it."""
    ids = {pk}
    for part in PARTS:
        rows = part.rows().filter(pk=pk).values_list("saga_id", flat=True)
        ids |= set(_ask(part.database, silent, partial(list, rows)) or ())
    return ids


def _with_parts(sagas: Sequence[Saga], parts: Sequence[Part], silent: list[str]) -> list[Found]:
    if not sagas:
        return []
    ids = [saga.pk for saga in sagas]
    links: dict[UUID, list[Link]] = {pk: [] for pk in ids}
    for part in parts:
        rows = part.rows().filter(saga_id__in=ids)
        found: list[Any] = _ask(part.database, silent, partial(list, rows)) or []
        for row in found:
            links[row.saga_id].append(part.link_to(row))
    named = _ask(ORDERS, silent, lambda: orders.summaries(saga_ids=ids)) or {}
    return [
        Found(
            saga=saga,
            order_number=named[saga.pk].number if saga.pk in named else "",
            shopper=named[saga.pk].shopper if saga.pk in named else "",
            links=links[saga.pk],
        )
        for saga in sagas
    ]


def _ask(source: str, silent: list[str], question: Callable[[], T]) -> T | None:
    """Return a database's answer; one that does not answer is named in ``silent``."""
    try:
        return question()
    except DatabaseError as error:
        log.warning("source_does_not_answer", source=source, error=type(error).__name__)
        silent.append(source)
        return None
