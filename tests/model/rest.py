"""Lets everything that waits through, until nothing waits any more, and checks what is left."""

from functools import partial

from sagas import verbs
from sagas.audit import looking
from sagas.auditor import Seen, Severity
from sagas.models import FAILED, Parked
from sagas.tests.conftest import NOBODY
from tests.model import laws, outside
from tests.model.shop import Shop

_ROUNDS = 60
_MESSAGES_A_ROUND = 200
_RETRIES = 2


def come_to_rest(shop: Shop) -> None:
    """Let time pass, mails through and people act until every checkout is at rest; then check."""
    for process in list(shop.frozen):
        shop.thaw(process)
    shop.answer_normally()
    for request in shop.requests:
        # Whoever got no answer asks again, as the API's documentation says.
        if request.answer is None:
            shop.place(request)
    _let_everything_through(shop)
    for _ in range(_RETRIES):
        _let_people_act(shop)
        _let_everything_through(shop)
    _look_for_late_successes(shop, last=True)
    shop.check()
    laws.at_rest(shop.before)
    _the_audit_agrees(shop)
    _shoppers_read_the_truth(shop)


def _let_everything_through(shop: Shop) -> None:
    for _ in range(_ROUNDS):
        _empty_the_bag(shop)
        shop.bank.let_time_pass()
        shop.bank.shoppers_answer("success")
        _look_for_late_successes(shop)
        waiting = [saga for saga in shop.sagas() if saga.due_at is not None and not saga.parked]
        if not waiting and not shop.bag:
            return
        for saga in waiting:
            outside.let_time_pass(saga.id)
        shop.tick()
    raise AssertionError(f"never at rest: {[(saga.id, saga.state) for saga in waiting]}")


def _empty_the_bag(shop: Shop) -> None:
    for _ in range(_MESSAGES_A_ROUND):
        if not shop.bag:
            return
        shop.deliver(shop.bag.pop(0))
    raise AssertionError(f"the bag never gets empty: {[str(message) for message in shop.bag]}")


def _look_for_late_successes(shop: Shop, *, last: bool = False) -> None:
    outside.let_late_checks_come([saga.id for saga in shop.sagas()], last=last)
    shop.sweep()


def _let_people_act(shop: Shop) -> None:
    for saga in shop.sagas():
        if saga.parked == Parked.PAUSED:
            shop.run(partial(verbs.resume, saga.id, mandate=NOBODY))
        elif saga.parked or saga.state == FAILED:
            shop.run(partial(verbs.retry, saga.id, mandate=NOBODY))


def _the_audit_agrees(shop: Shop) -> None:
    """The shop's own audit finds nothing either."""
    saga_ids = list(shop.before.checkouts)
    seen = Seen()
    looking.look_at(saga_ids, seen)
    looking.look_outside([(saga_id, "") for saga_id in saga_ids], seen)
    wrong = [fault for fault in seen.faults if fault.severity == Severity.VIOLATION]
    assert not wrong, f"the audit finds: {wrong}"
    assert not seen.silent, f"the audit was not answered by {seen.silent}"


def _shoppers_read_the_truth(shop: Shop) -> None:
    """A shopper never reads that it failed while the bank has their money."""
    for request in shop.requests:
        if request.answer is None:
            continue
        from_api = request.look()
        standing = next(
            each
            for each in shop.before.checkouts.values()
            if each.saga.idempotency_key == request.key
        )
        kept = standing.captured - standing.refunded
        expected = {
            "COMPLETE": ("completed",),
            "COMPENSATED": ("failed", "cancelled"),
            "FAILED": ("reversing",),
        }[standing.saga.state]
        assert from_api["status"] in expected, f"{standing.saga.id}: {from_api['status']}"
        if not standing.refunded_by_hand:
            said = from_api["charged"] - from_api["refunded"]
            assert said == kept, f"{standing.saga.id}: the API says {said}, the bank keeps {kept}"
