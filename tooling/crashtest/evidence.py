"""What became of the checkouts of a case, from sources that know nothing of each other.

Our four domains and the saga, the provider's own ledger, and the mails that arrived: each is
read once for all checkouts of a case.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
from django.db.models import Sum

from inventory.models import Reservation, ReservationLine, Stock
from inventory.models import Status as Holding
from notifications.models import Message
from orders.models import Order
from payments.models import Payment
from sagas.models import Outcome, Saga, StepRun
from tooling.crashtest.people import Placed
from tooling.crashtest.scenario import Must, Scenario
from tooling.crashtest.shop import Shop

_SECONDS = 30.0
#: Outcomes of an attempt after which nobody knows how far a mail had got.
_CUT_OFF = (Outcome.LOST, Outcome.SUPERSEDED, Outcome.TRANSIENT)


@dataclass(kw_only=True)
class Found:
    """How one checkout stands; amounts in minor units."""

    state: str
    amount: int
    order: str = "none"
    held: int = 0
    captured: int = 0
    refunded: int = 0
    at_provider: "AtProvider"
    mails: Counter[str] = field(default_factory=Counter)
    #: Copies of each mail that are allowed: one, and one for each attempt that was cut off.
    mails_at_most: Mapping[str, int] = field(default_factory=dict)


@dataclass
class AtProvider:
    """What the provider's ledger says of one checkout."""

    captured: int = 0
    captures: int = 0
    refunded: int = 0


def faults(
    shop: Shop, placed: Sequence[Placed], scenario: Scenario, *, deaths: int = 0
) -> list[str]:
    """Return everything that is not as it must be, once all sagas are at rest.

    Args:
        shop: where to look.
        placed: the checkouts.
        scenario: says how they must end.
        deaths: so many processes ended: that often staff may have pressed in vain.
    """
    wrong, resent = [], scenario.resent * (1 + deaths)
    for checkout_id, found in look(shop, placed).items():
        differences = [_differences(found, must, resent) for must in scenario.must]
        if all(differences):
            wrong += [f"{checkout_id}: {each}" for each in min(differences, key=len)]
    return wrong + _shelves()


def look(shop: Shop, placed: Sequence[Placed]) -> Mapping[UUID, Found]:
    """Gather what is known of these checkouts."""
    ids = [each.checkout_id for each in placed]
    sagas = Saga.objects.using("default").in_bulk(ids)
    payments = {p.saga_id: p for p in Payment.objects.using("payments").filter(saga_id__in=ids)}
    orders = dict(
        Order.objects.using("orders").filter(saga_id__in=ids).values_list("saga_id", "status")
    )
    books = _ledger(shop, {p.saga_id: str(p.pk) for p in payments.values()})
    held, mails, allowed = _held(ids), _mails(shop, ids), _mails_at_most(ids)
    found = {}
    for saga_id in ids:
        payment = payments.get(saga_id)
        found[saga_id] = Found(
            state=str(sagas[saga_id].state) if saga_id in sagas else "no saga",
            amount=sagas[saga_id].amount if saga_id in sagas else 0,
            order=str(orders.get(saga_id, "none")),
            held=held.get(saga_id, 0),
            captured=payment.captured if payment else 0,
            refunded=payment.refunded if payment else 0,
            at_provider=books[saga_id],
            mails=mails[saga_id],
            mails_at_most=allowed[saga_id],
        )
    return found


def _differences(found: Found, must: Must, resent: int) -> list[str]:
    wrong = []
    if found.state != must.state:
        wrong.append(f"the saga is {found.state}, must be {must.state}")
    if found.order != must.order and (must.order, found.order) != ("CANCELLED", "none"):
        wrong.append(f"the order is {found.order}, must be {must.order}")
    if (found.held > 0) is not must.kept:
        wrong.append(f"{found.held} units are held")
    keeps, kept = (
        found.captured - found.refunded,
        found.amount - must.given_back if must.kept else 0,
    )
    if keeps != kept:
        wrong.append(f"we keep {keeps}, must keep {kept}")
    theirs = found.at_provider
    if theirs.captured != found.captured or theirs.captures > 1:
        wrong.append(f"the provider captured {theirs}, we say {found.captured}")
    if theirs.refunded != (0 if must.by_hand else found.refunded):
        wrong.append(f"the provider refunded {theirs.refunded}, we say {found.refunded}")
    if found.mails.keys() != must.mails:
        wrong.append(f"mails {sorted(found.mails)}, must be {sorted(must.mails)}")
    wrong += [
        f"{count} copies of the {kind}, at most {found.mails_at_most[kind] + resent} can be"
        for kind, count in found.mails.items()
        if count > found.mails_at_most[kind] + resent
    ]
    return wrong


def _held(ids: Sequence[UUID]) -> Mapping[UUID, int]:
    lines = ReservationLine.objects.using("inventory").filter(
        reservation__saga_id__in=ids, reservation__status=Holding.HELD
    )
    sums = lines.values_list("reservation__saga_id").annotate(units=Sum("quantity")).order_by()
    return dict(sums)


def _shelves() -> list[str]:
    """Return the products whose reserved units are not those of the reservations."""
    held = Reservation.objects.using("inventory").filter(status=Holding.HELD)
    sums = dict(
        held.values_list("lines__product_id").annotate(units=Sum("lines__quantity")).order_by()
    )
    return [
        f"{stock.pk}: {stock.reserved} reserved, {sums.get(stock.pk, 0)} held by reservations"
        for stock in Stock.objects.using("inventory")
        if stock.reserved != sums.get(stock.pk, 0)
    ]


def _ledger(shop: Shop, payments: Mapping[UUID, str]) -> Mapping[UUID, AtProvider]:
    books: dict[str, Any] = httpx.get(f"{shop.provider}/v1/ledger", timeout=_SECONDS).json()
    saga_of = {payment: saga for saga, payment in payments.items()}
    found: dict[UUID, AtProvider] = defaultdict(AtProvider)
    owner = {}
    for intent in books["intents"]:
        saga_id = saga_of.get(intent["metadata"].get("payment_id", ""))
        if saga_id is not None:
            owner[intent["id"]] = saga_id
            for capture in books["captures"].get(intent["id"], ()):
                found[saga_id].captured += capture["amount"]
                found[saga_id].captures += 1
    for refund in books["refunds"]:
        if refund["payment_intent"] in owner and refund["status"] == "succeeded":
            found[owner[refund["payment_intent"]]].refunded += refund["amount"]
    return found


def _mails(shop: Shop, ids: Sequence[UUID]) -> Mapping[UUID, Counter[str]]:
    """Return the kinds of the mails that arrived, as the names of their files tell."""
    wanted = {str(each): each for each in ids}
    found: dict[UUID, Counter[str]] = defaultdict(Counter)
    for file in shop.mails.glob("*.eml"):
        # NNNN-kind.saga-id@domain.eml
        kind, _, rest = file.name.partition("-")[2].partition(".")
        saga_id = wanted.get(rest.partition("@")[0])
        if saga_id is not None:
            found[saga_id][kind] += 1
    return found


def _mails_at_most(ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, int]]:
    allowed: dict[UUID, Counter[str]] = defaultdict(Counter)
    for message in Message.objects.using("notifications").filter(saga_id__in=ids):
        allowed[message.saga_id][message.kind] += 1
    cut_off = StepRun.objects.using("default").filter(
        saga_id__in=ids, outcome__in=_CUT_OFF, step__in=("send_confirmation", "send_apology")
    )
    for run in cut_off:
        allowed[run.saga_id][run.step.removeprefix("send_")] += 1
    return allowed
