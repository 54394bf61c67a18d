"""After the sale: shoppers cancel paid orders, staff ship them, and give parts of them back."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from uuid import NAMESPACE_URL, uuid5

import httpx

from orders.models import Order, Return, ReturnStatus
from sagas.models import Saga
from tooling.crashtest.people import Placed, all_at_once
from tooling.crashtest.scenario import COMPLETED, Must, Road, Scenario, Stage
from tooling.crashtest.scenarios.waiting import come_to

#: What is bought here, twice, and given back once.
_MUG = 1250

CANCELLED = Must(state="COMPLETE", kept=False, order="CANCELLED", mails=frozenset({"confirmation"}))
ONE_BACK = replace(COMPLETED, given_back=_MUG)


def _sold(stage: Stage, count: int, token: str) -> Sequence[Placed]:
    """Return checkouts that have gone through: two mugs each."""
    placed = stage.shopper.place_many(count, token=token, quantity=2)
    come_to(placed, "COMPLETE")
    return placed


def _order(placed: Placed) -> Order:
    orders = Order.objects.using("orders").prefetch_related("lines")
    return orders.get(saga_id=placed.checkout_id)


def _followers(placed: Sequence[Placed], kind: str) -> list[Saga]:
    ids = [each.checkout_id for each in placed]
    return list(Saga.objects.using("default").filter(follows__in=ids, kind=kind))


# Cancellations ----------------------------------------------------------------------------


def _cancelled(token: str, stage: Stage, count: int) -> Sequence[Placed]:
    placed = _sold(stage, count, token)
    all_at_once(lambda each: stage.shopper.cancel_order(each, _order(each).number), placed)
    return placed


def _shipped_meanwhile(stage: Stage, count: int) -> Sequence[Placed]:
    """The goods leave between the shopper's word and the first step, while workers stand still."""
    placed = _sold(stage, count, "tok_success")
    with stage.shop.standing_still("domain"):
        all_at_once(lambda each: stage.shopper.cancel_order(each, _order(each).number), placed)
        for each in placed:
            stage.operator.post(f"/orders/order/{_order(each).pk}/do/ship/")
    return placed


def _not_shipped(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    """Shipped, so not cancelled, and held back by nobody; or the other way round."""
    orders = [_order(each) for each in placed]
    return [
        *_others(placed, "cancellation", "COMPENSATED", "order-shipped"),
        *(f"{each.number} is not shipped" for each in orders if each.shipped_at is None),
        *(f"{each.number} is held back" for each in orders if each.held_by is not None),
    ]


# Returns ----------------------------------------------------------------------------------


def _give_one_back(stage: Stage, placed: Placed) -> None:
    """Fill the form in once, and send it until it is answered: the key is the form's own."""
    order = _order(placed)
    typed = {
        "key": str(uuid5(NAMESPACE_URL, placed.key)),
        f"units_{order.lines.get().pk}": 1,
        "reason": "damaged",
        "note": "crash test",
        "agreed": _MUG,
    }
    answer = stage.operator.post(f"/orders/order/{order.pk}/refund/", **typed)
    if answer.status_code != httpx.codes.FOUND:
        raise TimeoutError(f"the refund of {order.number} is answered {answer.status_code}")


def _one_back(token: str, stage: Stage, count: int) -> Sequence[Placed]:
    placed = _sold(stage, count, token)
    all_at_once(lambda each: _give_one_back(stage, each), placed)
    return placed


def _one_back_then_cancelled(stage: Stage, count: int) -> Sequence[Placed]:
    placed = _one_back("tok_success", stage, count)
    for saga in _followers(placed, "return"):
        come_to([Placed(saga.pk, "", "")], "COMPLETE")
    all_at_once(lambda each: stage.shopper.cancel_order(each, _order(each).number), placed)
    return placed


def _returned(
    status: ReturnStatus, state: str, stage: Stage, placed: Sequence[Placed]
) -> list[str]:
    """One return each, and its units counted as its status says."""
    units = int(status == ReturnStatus.REFUNDED)
    made = Return.objects.using("orders").filter(order__saga_id__in=[p.checkout_id for p in placed])
    wrong = [f"a return is {each.status}" for each in made if each.status != status]
    for each in placed:
        returned = _order(each).lines.get().returned
        if returned != units:
            wrong.append(f"{each.checkout_id}: {returned} units returned, must be {units}")
    return [*_others(placed, "return", state), *wrong]


def _others(placed: Sequence[Placed], kind: str, state: str, reason: str = "") -> list[str]:
    """Return what is not one saga of this kind for each checkout, ended like this."""
    found = _followers(placed, kind)
    wrong = [
        f"{kind} {saga.pk} is {saga.state} {saga.reason}, must be {state} {reason}"
        for saga in found
        if saga.state != state or (reason and saga.reason != reason)
    ]
    if len(found) != len(placed):
        wrong.append(f"{len(found)} sagas of {kind} for {len(placed)} checkouts")
    return wrong


def _all_cancelled(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    return _others(placed, "cancellation", "COMPLETE")


_IS_BACK = partial(_returned, ReturnStatus.REFUNDED, "COMPLETE")
_IS_WITHDRAWN = partial(_returned, ReturnStatus.WITHDRAWN, "COMPENSATED")


def _cancellation(name: str, token: str) -> Scenario:
    return Scenario(
        name=name,
        road=Road.FORWARD,
        play=partial(_cancelled, token),
        must=(CANCELLED,),
        also=_all_cancelled,
    )


def _return(name: str, token: str) -> Scenario:
    return Scenario(
        name=name,
        road=Road.FORWARD,
        play=partial(_one_back, token),
        must=(ONE_BACK,),
        also=_IS_BACK,
    )


ALL = (
    _cancellation("order cancelled", "tok_success"),
    _cancellation("order cancelled, refund in doubt", "tok_refund_reply_lost"),
    Scenario(
        name="shipped before it was held back",
        road=Road.COMPENSATION,
        play=_shipped_meanwhile,
        also=_not_shipped,
    ),
    _return("part given back", "tok_success"),
    _return("part in doubt", "tok_refund_reply_lost"),
    _return("part answered by an error", "tok_refund_500_once"),
    Scenario(
        name="part refused",
        road=Road.COMPENSATION,
        play=partial(_one_back, "tok_refund_refused"),
        also=_IS_WITHDRAWN,
    ),
    Scenario(
        name="part given back, then cancelled",
        road=Road.FORWARD,
        play=_one_back_then_cancelled,
        must=(CANCELLED,),
        also=_all_cancelled,
    ),
)
