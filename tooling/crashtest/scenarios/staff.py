"""What operators do at the console, one saga at a time and many at once."""

from collections.abc import Sequence
from functools import partial

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from inventory.models import Product, Stock
from sagas.models import (
    FAILED,
    Approval,
    Assignment,
    BulkItem,
    BulkRun,
    OperatorAction,
    Switch,
)
from tooling.crashtest.people import Placed, all_at_once
from tooling.crashtest.scenario import COMPLETED, TAKEN_BACK, Must, Road, Scenario, Stage
from tooling.crashtest.scenarios.waiting import come_to

_TEAPOTS_ABOVE_THE_LIMIT = 11
_A_STEP = "step:checkout:send_confirmation"
_PRODUCT = "TOWEL"
_RUN_PAGE = "/sagas/saga/bulk/"
_A_RUN = 3

BY_HAND = Must(
    state="COMPENSATED",
    kept=False,
    order="CANCELLED",
    mails=frozenset({"confirmation", "apology"}),
    by_hand=True,
)


def _completed(stage: Stage, count: int, **what: object) -> list[Placed]:
    """Return checkouts that have gone through."""
    placed = stage.shopper.place_many(count, **what)
    come_to(placed, "COMPLETE")
    return placed


def _pressed(verb: str, token: str, stage: Stage, count: int) -> Sequence[Placed]:
    placed = _completed(stage, count, token=token)
    all_at_once(lambda each: stage.operator.press(each.checkout_id, verb), placed)
    return placed


def _settled_by_hand(stage: Stage, count: int) -> Sequence[Placed]:
    """The bank refuses the refund; an operator sends the money by hand and says so."""
    placed = _pressed("compensate", "tok_refund_refused", stage, count)

    def resolve(each: Placed) -> None:
        come_to([each], FAILED, "COMPENSATED")
        stage.operator.press(each.checkout_id, "resolve", reference="bank 4711")

    all_at_once(resolve, placed)
    return placed


def _asked(stage: Stage, count: int) -> Sequence[Placed]:
    placed = _completed(stage, count)
    all_at_once(lambda each: stage.operator.press(each.checkout_id, "ask"), placed)
    return placed


def _paused(stage: Stage, count: int) -> Sequence[Placed]:
    """Held while it waits for a worker that stands still, and let go again."""
    with stage.shop.standing_still("domain"):
        placed = stage.shopper.place_many(count)
        all_at_once(lambda each: stage.operator.press(each.checkout_id, "pause"), placed)
    all_at_once(lambda each: stage.operator.press(each.checkout_id, "resume"), placed)
    return placed


def _agreed_by_two(stage: Stage, count: int) -> Sequence[Placed]:
    """Above the limit one operator asks, and another one agrees."""
    placed = _completed(stage, count, sku="TEAPOT", quantity=_TEAPOTS_ABOVE_THE_LIMIT)

    def agree(each: Placed) -> None:
        # What was agreed to when a process died has to be asked for and agreed to anew.
        while stage.operator.press(each.checkout_id, "compensate"):
            stage.second.press(each.checkout_id, "compensate")

    all_at_once(agree, placed)
    return placed


def _asked_for_in_vain(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    """An approval that is still open could be used for something else later."""
    ids = [each.checkout_id for each in placed]
    still_open = Approval.objects.using("default").filter(saga_id__in=ids, approved_by=None)
    return [f"{each.saga_id}: {each.verb} is still asked for" for each in still_open]


def _written_about(stage: Stage, count: int) -> Sequence[Placed]:
    """Notes, and sagas that an operator takes care of for a while."""
    placed = _completed(stage, max(1, count // 4))

    def write(each: Placed) -> None:
        for verb in ("note", "claim", "release", "claim"):
            page = f"/sagas/saga/{each.checkout_id}/do/{verb}/"
            stage.operator.post(page, reason="crash test")

    all_at_once(write, [each for each in placed for _ in range(4)])
    return placed


def _unclaimed(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    """Whoever takes care of a saga is in its log."""
    held = Assignment.objects.using("default").filter(saga_id__in=[p.checkout_id for p in placed])
    return [
        f"{each.saga_id} is claimed, and its log does not say so"
        for each in held
        if not OperatorAction.objects.using("default")
        .filter(saga_id=each.saga_id, verb="claim", operator_id=each.operator_id)
        .exists()
    ]


def _held_back(stage: Stage, count: int) -> Sequence[Placed]:
    """A step is held back and let go, again and again."""
    for _ in range(count):
        stage.operator.post("/sagas/saga/switches/", name=_A_STEP, do="close", reason="crash test")
        stage.operator.post("/sagas/saga/switches/", name=_A_STEP, do="open")
    return stage.shopper.place_many(1)


def _still_held_back(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    held = Switch.objects.using("default").filter(pk=_A_STEP).exists()
    return [f"{_A_STEP} is still held back"] if held else []


def _shelf(stage: Stage, count: int) -> Sequence[Placed]:
    """Stock is counted, and a description is written anew."""
    for number in range(count):
        page = f"/inventory/product/{_PRODUCT}/change/"
        product = Product.objects.using("inventory").get(pk=_PRODUCT)
        stage.operator.post(
            page,
            name=product.name,
            description=f"Half linen, {number}.",
            price=str(product.price),
            active="on",
        )
        page = f"/inventory/stock/{_PRODUCT}/change/"
        stage.operator.post(page, change_by="1", low_at=str(number))
    return []


def _shelf_is_wrong(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    stock = Stock.objects.using("inventory").select_related("product").get(pk=_PRODUCT)
    faults = [] if 0 <= stock.reserved <= stock.on_hand else [f"stock of {_PRODUCT}: {stock}"]
    if stock.product.description != f"Half linen, {stock.low_at}.":
        faults.append(f"{stock.product.description!r} and low at {stock.low_at}: one was not saved")
    return faults


# Many at once ----------------------------------------------------------------------------


def _bulk(stage: Stage, count: int, *, stopped: bool = False) -> Sequence[Placed]:
    """Compensate many that went through, in several runs."""
    placed = _completed(stage, count * (1 if stopped else _A_RUN))
    size = 1 if stopped else _A_RUN
    for first in range(0, len(placed), size):
        ids = [str(each.checkout_id) for each in placed[first : first + size]]
        asked = {"action": "compensate_chosen", "_selected_action": ids}
        answer = stage.operator.post("/sagas/saga/", **asked)
        run = answer.headers["Location"].rstrip("/").rpartition("/")[2]
        stage.operator.post(
            f"{_RUN_PAGE}{run}/", reason="crash test", per_second=50, canary=1, max_failures=99
        )
        if stopped:
            stage.operator.post(f"{_RUN_PAGE}{run}/", stop="1")
    return placed


def _bulk_goes_on(stage: Stage, placed: Sequence[Placed]) -> None:
    """The schedule asks for a tick; and time passes, until the lease of a dead worker is over."""
    runs = _runs_of(placed)
    if any(plan.hits() for plan in stage.shop.plans.values()):
        runs.filter(busy_until__isnull=False).update(busy_until=Now())
    stage.shop.ask_for("sagas.bulk_tick", queue="compensation")


def _bulk_tells_the_truth(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    """Each run has ended, and says of each of its sagas what became of it."""
    under_way = Q(items__outcome=BulkItem.Outcome.UNDER_WAY)
    moving = Q(state__in=(BulkRun.State.CANARY, BulkRun.State.RUNNING)) | (
        Q(state=BulkRun.State.STOPPED) & under_way
    )
    faults = [f"bulk run {run.pk} has not ended" for run in _runs_of(placed).filter(moving)]
    items = BulkItem.objects.using("default").filter(run__in=_runs_of(placed))
    for item in items.select_related("saga"):
        undone = item.saga.state == "COMPENSATED"
        if (item.outcome == BulkItem.Outcome.SUCCEEDED) > undone:
            faults.append(f"bulk says {item.outcome} of {item.saga_id}: {item.saga.state}")
    return faults


def _runs_of(placed: Sequence[Placed]) -> QuerySet[BulkRun]:
    return (
        BulkRun.objects.using("default")
        .filter(items__saga_id__in=[each.checkout_id for each in placed])
        .distinct()
    )


_EITHER_WAY = (TAKEN_BACK, COMPLETED)

ALL = (
    Scenario(
        name="compensated past the pivot",
        road=Road.COMPENSATION,
        play=partial(_pressed, "compensate", "tok_success"),
        must=(TAKEN_BACK,),
    ),
    Scenario(
        name="refund in doubt",
        road=Road.COMPENSATION,
        play=partial(_pressed, "compensate", "tok_refund_reply_lost"),
        must=(TAKEN_BACK,),
    ),
    Scenario(
        name="settled by hand", road=Road.COMPENSATION, play=_settled_by_hand, must=(BY_HAND,)
    ),
    Scenario(
        name="agreed by two",
        road=Road.STAFF,
        play=_agreed_by_two,
        must=(TAKEN_BACK,),
        also=_asked_for_in_vain,
    ),
    Scenario(
        name="mailed again",
        road=Road.STAFF,
        play=partial(_pressed, "mail", "tok_success"),
        resent=True,
    ),
    Scenario(name="provider asked", road=Road.STAFF, play=_asked),
    Scenario(name="paused and resumed", road=Road.STAFF, play=_paused),
    Scenario(name="written about", road=Road.STAFF, play=_written_about, also=_unclaimed),
    Scenario(name="held back", road=Road.STAFF, play=_held_back, also=_still_held_back),
    Scenario(name="shelf", road=Road.STAFF, play=_shelf, also=_shelf_is_wrong),
    Scenario(
        name="bulk run",
        road=Road.STAFF,
        play=_bulk,
        must=_EITHER_WAY,
        nudge=_bulk_goes_on,
        also=_bulk_tells_the_truth,
    ),
    Scenario(
        name="bulk run stopped",
        road=Road.STAFF,
        play=partial(_bulk, stopped=True),
        must=_EITHER_WAY,
        nudge=_bulk_goes_on,
        also=_bulk_tells_the_truth,
    ),
)
