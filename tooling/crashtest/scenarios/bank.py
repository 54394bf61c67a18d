"""The shopper's bank: its page, and money that it only holds until the order stands."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import httpx
from django.db.models import F
from django.db.models.functions import Now

from payments.models import PaymentAction
from sagas.models import COMPENSATED, Saga
from tooling.crashtest.people import Placed, all_at_once, insist
from tooling.crashtest.scenario import COMPLETED, UNDONE, Road, Scenario, Stage

_SECONDS = 4.0
_PAGE = "tok_requires_action"


def _paid_with(token: str, stage: Stage, count: int) -> Sequence[Placed]:
    return stage.shopper.place_many(count, token=token)


def _pages(placed: Sequence[Placed]) -> list[PaymentAction]:
    """Return what shoppers are asked for just now."""
    ids = [each.checkout_id for each in placed]
    asked = PaymentAction.objects.using("payments").filter(payment__saga_id__in=ids)
    return list(asked.select_related("payment"))


def _answer(outcome: str) -> Callable[[Stage, Sequence[Placed]], None]:
    """Return what shoppers do who find the bank's page before them: press the same button."""

    def press(stage: Stage, placed: Sequence[Placed]) -> None:
        def once(page: PaymentAction) -> None:
            # A second answer is refused by the bank, and changes nothing.
            insist(lambda: httpx.post(page.url, data={"outcome": outcome}, timeout=_SECONDS))

        all_at_once(once, _pages(placed))

    return press


def _too_late(stage: Stage, placed: Sequence[Placed]) -> None:
    """Nobody comes: the deadline passes while the bank waits."""
    waiting = [page.payment.saga_id for page in _pages(placed)]
    sagas = Saga.objects.using("default").filter(pk__in=waiting, deadline_at__gt=Now())
    sagas.update(deadline_at=Now(), revision=F("revision") + 1)


# Authorised, then captured ---------------------------------------------------------------


def _authorised(token: str, stage: Stage, count: int) -> Sequence[Placed]:
    """At a web server whose CHARGE_MODE is authorise; the workers are the same."""
    door = replace(stage.shopper, address=stage.shop.authorising)
    return door.place_many(count, token=token)


def _undo_what_waits(stage: Stage, placed: Sequence[Placed]) -> None:
    """The authorisation is gone and the order stands: an operator undoes it."""
    ids = [each.checkout_id for each in placed]
    parked = Saga.objects.using("default").filter(pk__in=ids, state="ORDER_CONFIRMED")
    waiting = parked.exclude(parked="").values_list("pk", flat=True)
    all_at_once(lambda saga_id: stage.operator.press(saga_id, "compensate"), list(waiting))


def _not_undone(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    ids = [each.checkout_id for each in placed]
    others = Saga.objects.using("default").filter(pk__in=ids).exclude(state=COMPENSATED)
    return [f"{saga.pk} is {saga.state}, to be undone by an operator" for saga in others]


ALL = (
    Scenario(
        name="bank asks, shopper confirms",
        road=Road.FORWARD,
        play=partial(_paid_with, _PAGE),
        nudge=_answer("success"),
    ),
    Scenario(
        name="bank asks, reply lost",
        road=Road.FORWARD,
        play=partial(_paid_with, f"{_PAGE}_reply_lost"),
        nudge=_answer("success"),
    ),
    Scenario(
        name="bank asks, shopper fails",
        road=Road.COMPENSATION,
        play=partial(_paid_with, _PAGE),
        nudge=_answer("failure"),
        must=(UNDONE,),
    ),
    Scenario(
        name="bank asks, nobody comes",
        road=Road.COMPENSATION,
        play=partial(_paid_with, _PAGE),
        nudge=_too_late,
        must=(UNDONE,),
    ),
    Scenario(
        name="authorised first",
        road=Road.FORWARD,
        play=partial(_authorised, "tok_success"),
        must=(COMPLETED,),
    ),
    Scenario(
        name="capture in doubt",
        road=Road.FORWARD,
        play=partial(_authorised, "tok_capture_reply_lost"),
        must=(COMPLETED,),
    ),
    Scenario(
        name="authorised, then declined",
        road=Road.COMPENSATION,
        play=partial(_authorised, "tok_declined"),
        must=(UNDONE,),
    ),
    Scenario(
        name="authorisation lost",
        road=Road.COMPENSATION,
        play=partial(_authorised, "tok_capture_refused"),
        nudge=_undo_what_waits,
        must=(UNDONE,),
        also=_not_undone,
    ),
)
