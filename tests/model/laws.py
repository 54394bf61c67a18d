"""What must hold, written down a second time, from the promises and not from the code.

``always`` holds after whatever happened, ``at_rest`` once everything that waits was let through.
A law that is broken is an AssertionError that names the checkout.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from tests.model.reality import Reality, Standing

FORWARD = (
    "PENDING",
    "ORDER_CREATED",
    "INVENTORY_RESERVED",
    "PAYMENT_CHARGED",
    "ORDER_CONFIRMED",
    "COMPLETE",
)
#: The step that leads out of each state.
NEXT_STEP = dict(
    zip(
        FORWARD,
        (
            "create_order",
            "reserve_inventory",
            "charge_payment",
            "confirm_order",
            "send_confirmation",
        ),
        strict=False,
    )
)
_SAGA: Mapping[str, Sequence[str]] = {
    **{state: (after, "COMPENSATING") for state, after in pairwise(FORWARD)},
    "COMPLETE": ("COMPENSATING",),
    "COMPENSATING": ("COMPENSATED", "FAILED"),
    "FAILED": ("COMPENSATING",),
    "COMPENSATED": (),
}
_ORDER: Mapping[str, Sequence[str]] = {
    "": ("PENDING",),
    "PENDING": ("CONFIRMED", "CANCELLED"),
    "CONFIRMED": ("CANCELLED",),
    "CANCELLED": (),
}
_RESERVATION: Mapping[str, Sequence[str]] = {"": ("HELD",), "HELD": ("RELEASED",), "RELEASED": ()}
_OPEN = ("PROCESSING", "REQUIRES_ACTION", "IN_DOUBT", "SUCCEEDED", "DECLINED", "REVERSING")
_PAYMENT: Mapping[str, Sequence[str]] = {
    "": ("CREATED",),
    **dict.fromkeys(("CREATED", "PROCESSING", "REQUIRES_ACTION", "IN_DOUBT"), _OPEN),
    "SUCCEEDED": ("REVERSING",),
    "DECLINED": ("REVERSING",),
    "REVERSING": ("CANCELLED", "REFUNDED"),
    "CANCELLED": ("REVERSING",),
    "REFUNDED": (),
}


def always(before: Reality, now: Reality, *, spare_mails: int) -> None:
    """Check what holds at every moment.

    Args:
        before: how everything stood when this was checked last.
        now: how it stands.
        spare_mails: how often a mail may have come once more than it should.
    """
    _stock_adds_up(now)
    assert not now.strange_intents, f"intents that nobody intended: {now.strange_intents}"
    for saga_id, standing in now.checkouts.items():
        _money_is_within_bounds(standing)
        _history_tells_no_step_twice(standing)
        for kind, times in standing.caught.items():
            assert times <= 1 + spare_mails, f"{saga_id}: {times} mails of kind {kind}"
    for saga_id, earlier in before.checkouts.items():
        _moved_on_declared_edges(earlier, now.checkouts[saga_id])


def at_rest(now: Reality) -> None:
    """Check what holds when nothing waits for anything any more."""
    for standing in now.checkouts.values():
        saga = standing.saga
        assert saga.due_at is None, f"{saga.id}: {saga.state} and still due at {saga.due_at}"
        match saga.state:
            case "COMPLETE":
                _is_complete(standing)
            case "COMPENSATED":
                _is_made_good(standing)
            case "FAILED":
                _has_failed(standing)
            case _:
                raise AssertionError(f"{saga.id}: left hanging in {saga.state} ({saga.parked})")


def _stock_adds_up(now: Reality) -> None:
    held: Counter[str] = Counter()
    for standing in now.checkouts.values():
        if standing.reservation is not None and standing.reservation.status == "HELD":
            held.update(standing.held)
    for stock in now.shelf:
        assert 0 <= stock.reserved <= stock.on_hand, f"oversold: {stock.sku}"
        assert stock.reserved == held[stock.sku], (
            f"{stock.sku}: {stock.reserved} reserved, {held[stock.sku]} in held reservations"
        )


def _money_is_within_bounds(standing: Standing) -> None:
    saga, payment = standing.saga, standing.payment
    assert len(standing.captures) <= 1, f"{saga.id}: charged {len(standing.captures)} times"
    pending = sum(each["amount"] for each in standing.refunds if each["status"] == "pending")
    given = standing.refunded + pending
    assert given <= standing.captured, f"{saga.id}: {given} refunded of {standing.captured}"
    if standing.order is not None:
        assert standing.order.total == saga.amount, f"{saga.id}: order over another total"
    if payment is None:
        return
    assert payment.amount == saga.amount, f"{saga.id}: payment over another total"
    assert any(each.kind == "charge" for each in standing.operations), f"{saga.id}: no intent"
    for intent in standing.intents:
        assert intent["amount"] == saga.amount, f"{saga.id}: intent over another total"
    assert payment.captured <= standing.captured, f"{saga.id}: more captured here than there"
    if not standing.refunded_by_hand:
        assert payment.refunded <= standing.refunded, f"{saga.id}: more refunded here than there"


def _history_tells_no_step_twice(standing: Standing) -> None:
    done = Counter((run.direction, run.step) for run in standing.runs if run.outcome == "succeeded")
    twice = [each for each, times in done.items() if times > 1]
    assert not twice, f"{standing.saga.id}: saved as done twice: {twice}"


def _moved_on_declared_edges(before: Standing, now: Standing) -> None:
    saga_id = now.saga.id
    assert now.saga.epoch >= before.saga.epoch, f"{saga_id}: the epoch fell"
    assert now.saga.revision >= before.saga.revision, f"{saga_id}: the revision fell"
    _must_lead(_SAGA, before.saga.state, now.saga.state, saga_id)
    _must_lead(_ORDER, _status(before.order), _status(now.order), saga_id)
    _must_lead(_RESERVATION, _status(before.reservation), _status(now.reservation), saga_id)
    _must_lead(_PAYMENT, _status(before.payment), _status(now.payment), saga_id)


def _must_lead(edges: Mapping[str, Sequence[str]], start: str, end: str, saga_id: object) -> None:
    reached, open_ends = {start}, [start]
    while open_ends:
        for state in edges[open_ends.pop()]:
            if state not in reached:
                reached.add(state)
                open_ends.append(state)
    assert end in reached, (
        f"{saga_id}: no way leads from {start or 'nothing'} to {end or 'nothing'}"
    )


def _is_complete(standing: Standing) -> None:
    saga = standing.saga
    by_hand = {name for name, result in saga.results.items() if "by_hand" in result}
    assert standing.captured - standing.refunded == saga.amount, f"{saga.id}: not paid"
    assert standing.payment is not None
    assert standing.payment.status == "SUCCEEDED", f"{saga.id}: {standing.payment.status}"
    assert _status(standing.reservation) == "HELD", f"{saga.id}: stock is not held"
    assert _status(standing.order) == "CONFIRMED", f"{saga.id}: order {_status(standing.order)}"
    if "send_confirmation" not in by_hand:
        mail = standing.mails.get("confirmation")
        assert mail is not None, f"{saga.id}: no confirmation"
        assert mail.status == "SENT", f"{saga.id}: confirmation {mail.status}"
        assert standing.caught["confirmation"] >= 1, f"{saga.id}: the confirmation never came"
    assert "apology" not in standing.mails, f"{saga.id}: an apology for a completed checkout"


def _is_made_good(standing: Standing) -> None:
    saga = standing.saga
    if not standing.refunded_by_hand:
        kept = standing.captured - standing.refunded
        assert kept == 0, f"{saga.id}: compensated, and the bank keeps {kept}"
    if standing.payment is not None:
        status = standing.payment.status
        assert status in ("CANCELLED", "REFUNDED"), f"{saga.id}: payment {status}"
    assert _status(standing.reservation) in ("", "RELEASED"), f"{saga.id}: stock is held"
    assert _status(standing.order) in ("", "CANCELLED"), f"{saga.id}: order stands"
    confirmed = saga.reached in ("ORDER_CONFIRMED", "COMPLETE")
    if not confirmed:
        assert standing.caught["confirmation"] == 0, f"{saga.id}: confirmed and undone"
    followed_up = [run.outcome for run in standing.runs if run.direction == "follow_up"]
    if followed_up[-1:] == ["succeeded"]:
        assert standing.caught["apology"] >= 1, f"{saga.id}: the apology never came"
    else:
        assert followed_up, f"{saga.id}: nobody tried to tell the shopper"


def _has_failed(standing: Standing) -> None:
    saga = standing.saga
    assert saga.given_up, f"{saga.id}: failed, and no undo was given up"
    assert _status(standing.order) != "CONFIRMED", f"{saga.id}: failed, and confirmed"
    assert standing.caught["apology"] == 0, f"{saga.id}: an apology for what is not made good"
    if "charge_payment" in saga.given_up:
        assert standing.payment is not None
        assert standing.payment.status == "REVERSING", f"{saga.id}: {standing.payment.status}"


def _status(row: object) -> str:
    return "" if row is None else str(getattr(row, "status"))  # noqa: B009
