"""The find box: from whatever a shopper or the provider quotes to the pages about it.

What is typed may be an e-mail address: it is compared within ``orders`` and shown to whoever typed
it, and never logged or kept. All comparisons are of whole values, by index, and the number of
queries does not depend on how much is found.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import Error as DatabaseError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from inventory import models as inventory
from notifications import models as notifications
from orders import models as orders
from orders import services as order_services
from payments import models as payments
from payments import services as payment_services
from sagas import models as sagas
from sagas.evidence import Link

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Checkouts that are shown at the most; whoever has more asks for an order number.
MOST_SHOWN = 50
#: Longer than any e-mail address, number, key or reference that is kept.
_LONGEST = 320


@dataclass(frozen=True, kw_only=True)
class Found:
    """One checkout and the pages about it; ``shopper`` is masked."""

    saga: sagas.Saga
    order_number: str
    shopper: str
    links: Sequence[Link]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found, the newest first, and which databases did not answer."""

    rows: Sequence[Found]
    more: bool
    silent: Sequence[str]


def find_page(request: HttpRequest) -> HttpResponse:
    """Show what ``?q=`` leads to; one checkout is shown at once.

    Raises:
        PermissionDenied: the viewer may not see sagas.
    """
    if not request.user.has_perm("sagas.view_saga"):
        raise PermissionDenied
    text = request.GET.get("q", "").strip()[:_LONGEST]
    finding = find(text)
    if len(finding.rows) == 1:
        return redirect("admin:sagas_saga_change", finding.rows[0].saga.pk)
    shown = {"title": "Find", "find_text": text, "finding": finding}
    return render(request, "console/find.html", {**admin.site.each_context(request), **shown})


def find(text: str) -> Finding:
    """Return the checkouts that ``text`` is the e-mail, order number, key or id of."""
    silent: list[str] = []
    if not text or "\0" in text:  # PostgreSQL's text knows no NUL
        return Finding(rows=(), more=False, silent=())
    ids = _sagas_of(text, silent)
    if not ids:
        return Finding(rows=(), more=False, silent=silent)
    newest = sagas.Saga.objects.using(sagas.DATABASE).filter(pk__in=ids).order_by("-created_at")
    rows = list(newest[: MOST_SHOWN + 1])
    shown, more = rows[:MOST_SHOWN], len(rows) > MOST_SHOWN
    return Finding(rows=_with_parts(shown, silent), more=more, silent=silent)


def _sagas_of(text: str, silent: list[str]) -> set[UUID]:
    key = sagas.Saga.objects.using(sagas.DATABASE).filter(idempotency_key=text)
    found = set(key.values_list("pk", flat=True)[: MOST_SHOWN + 1])
    found.update(_ask("orders", silent, lambda: order_services.sagas_of(text=text)) or ())
    found.update(
        _ask("payments", silent, lambda: payment_services.sagas_with_ref(provider_ref=text)) or ()
    )
    with suppress(ValueError):
        found.update(_sagas_of_id(UUID(text), silent))
    return found


def _sagas_of_id(part: UUID, silent: list[str]) -> Iterable[UUID]:
    """Return the saga that ``part`` is, or belongs to as an order, payment or reservation."""
    yield part
    for name, model, database in (
        ("orders", orders.Order, orders.DATABASE),
        ("payments", payments.Payment, payments.DATABASE),
        ("inventory", inventory.Reservation, inventory.DATABASE),
    ):
        rows = model._default_manager.using(database).filter(Q(pk=part))
        yield from _ask(name, silent, lambda rows=rows: list(rows.values_list("saga_id", flat=True))) or ()


def _with_parts(found: Sequence[sagas.Saga], silent: list[str]) -> list[Found]:
    ids = [saga.pk for saga in found]
    summaries = _ask("orders", silent, lambda: order_services.summaries(saga_ids=ids)) or {}
    links = _links(ids, summaries, silent)
    rows = []
    for saga in found:
        order = summaries.get(saga.pk)
        rows.append(
            Found(
                saga=saga,
                order_number=order.number if order else "",
                shopper=order.shopper if order else "",
                links=links[saga.pk],
            )
        )
    return rows
