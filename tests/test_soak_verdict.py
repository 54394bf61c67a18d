"""The soak's verdict: books that agree are let pass, and each class of violation is seen."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tooling.local.instance import REPOSITORY
from tooling.soak.guards import DOMAINS, ENGINE, Guard, GuardMoved
from tooling.soak.ledgers import Money, Sight, Wish, mails_in, moneys_in, wishes_in
from tooling.soak.orders import Fate, Taste
from tooling.soak.verdict import Wrong, judge

PAID, UNDONE = "paid", "undone"


def _wish(key: str, token: str, fate: Fate, status: str, charged: int) -> Wish:
    return Wish(
        key=key,
        number=1,
        token=token,
        fate=fate,
        lines={"SOAK-1": 2},
        total=2500,
        hot=False,
        turned_back=False,
        ids={key},
        read={"status": status, "charged": charged, "refunded": 0},
    )


def _saga(key: str, state: str, reason: str = "") -> dict[str, object]:
    return {
        "id": key,
        "state": state,
        "parked": "",
        "reason": reason,
        "idempotency_key": key,
        "amount": 2500,
        "moving": False,
        "after_deadline": False,
    }


def _sight() -> Sight:
    """Return books of one checkout that completed and one that was declined."""
    return Sight(
        wishes={
            PAID: _wish(PAID, "tok_success", Fate.PAID, "completed", 2500),
            UNDONE: _wish(UNDONE, "tok_declined", Fate.DECLINED, "failed", 0),
        },
        sagas={
            PAID: _saga(PAID, "COMPLETE"),
            UNDONE: _saga(UNDONE, "COMPENSATED", "card-declined"),
        },
        moneys={PAID: [Money("p1", 2500, [2500])], UNDONE: [Money("p2", 2500)]},
        strays=[],
        orders={
            PAID: [{"status": "CONFIRMED", "total": 2500}],
            UNDONE: [{"status": "CANCELLED", "total": 2500}],
        },
        held={PAID: {"SOAK-1": 2}},
        stock={"SOAK-1": {"on_hand": 10, "reserved": 2}},
        opening={"SOAK-1": 10},
        mails={PAID: Counter(confirmation=1), UNDONE: Counter(apology=1)},
        unclean_sends={},
        refused=Counter(),
    )


def _seen(sight: Sight, *, may_give_up: bool = True) -> set[Wrong]:
    return {violation.wrong for violation in judge(sight, may_give_up=may_give_up)}


def test_books_that_agree_are_let_pass() -> None:
    assert judge(_sight(), may_give_up=False) == []


def _no_saga(sight: Sight) -> None:
    del sight.sagas[PAID]


def _not_charged(sight: Sight) -> None:
    sight.moneys[PAID] = []


def _no_mail(sight: Sight) -> None:
    sight.mails[PAID] = Counter()


def _no_apology(sight: Sight) -> None:
    sight.mails[UNDONE] = Counter()


def _not_confirmed(sight: Sight) -> None:
    sight.orders[PAID] = []


def _money_kept(sight: Sight) -> None:
    sight.moneys[UNDONE] = [Money("p2", 2500, [2500])]


def _stray_capture(sight: Sight) -> None:
    sight.strays.append(Money("nobody's", 2500, [2500]))


def _captured_twice(sight: Sight) -> None:
    sight.moneys[PAID].append(Money("p1", 2500, [2500]))


def _refunded_twice(sight: Sight) -> None:
    refunds = {"re_1": (2500, "succeeded"), "re_2": (2500, "succeeded")}
    sight.moneys[UNDONE] = [Money("p2", 2500, [2500], refunds)]


def _two_sagas(sight: Sight) -> None:
    sight.sagas["twin"] = {**_saga(PAID, "COMPLETE"), "id": "twin"}


def _two_ids(sight: Sight) -> None:
    sight.wishes[PAID].ids.add(UNDONE)


def _two_orders(sight: Sight) -> None:
    sight.orders[PAID] *= 2


def _mailed_twice(sight: Sight) -> None:
    sight.mails[PAID] = Counter(confirmation=2)


def _sold_more_than_there_was(sight: Sight) -> None:
    sight.opening["SOAK-1"] = sight.stock["SOAK-1"]["on_hand"] = 1


def _held_and_not_counted(sight: Sight) -> None:
    sight.stock["SOAK-1"]["reserved"] = 0


def _counted_and_not_held(sight: Sight) -> None:
    sight.stock["SOAK-1"]["reserved"] = 4


def _held_by_the_undone(sight: Sight) -> None:
    sight.held[UNDONE] = {"SOAK-1": 2}


def _order_left_standing(sight: Sight) -> None:
    sight.orders[UNDONE][0]["status"] = "PENDING"


def _moves_for_ever(sight: Sight) -> None:
    sight.sagas[PAID]["moving"] = True


def _waits_for_a_person(sight: Sight) -> None:
    sight.sagas[UNDONE]["state"] = "FAILED"


def _undone_though_healthy(sight: Sight) -> None:
    wish = sight.wishes[UNDONE]
    wish.token, wish.fate = "tok_success", Fate.PAID


def _out_of_plenty(sight: Sight) -> None:
    sight.sagas[UNDONE]["reason"] = "out-of-stock"


def _given_up_before_its_deadline(sight: Sight) -> None:
    sight.sagas[UNDONE]["reason"] = "deadline"


def _told_otherwise(sight: Sight) -> None:
    sight.wishes[UNDONE].read = {"status": "completed", "charged": 0, "refunded": 0}


def _told_nothing(sight: Sight) -> None:
    sight.wishes[PAID].read = None


@pytest.mark.parametrize(
    ("plant", "wrong"),
    [
        (_no_saga, Wrong.LOST),
        (_not_charged, Wrong.LOST),
        (_no_mail, Wrong.LOST),
        (_no_apology, Wrong.LOST),
        (_not_confirmed, Wrong.LOST),
        (_money_kept, Wrong.GHOST),
        (_stray_capture, Wrong.GHOST),
        (_captured_twice, Wrong.DOUBLED),
        (_refunded_twice, Wrong.DOUBLED),
        (_two_sagas, Wrong.DOUBLED),
        (_two_ids, Wrong.DOUBLED),
        (_two_orders, Wrong.DOUBLED),
        (_mailed_twice, Wrong.DOUBLED),
        (_sold_more_than_there_was, Wrong.OVERSOLD),
        (_held_and_not_counted, Wrong.OVERSOLD),
        (_counted_and_not_held, Wrong.LEAKED),
        (_held_by_the_undone, Wrong.LEAKED),
        (_order_left_standing, Wrong.LEAKED),
        (_moves_for_ever, Wrong.HANGING),
        (_waits_for_a_person, Wrong.HANGING),
        (_undone_though_healthy, Wrong.FALSE_COMPENSATION),
        (_out_of_plenty, Wrong.FALSE_COMPENSATION),
        (_given_up_before_its_deadline, Wrong.FALSE_COMPENSATION),
        (_told_otherwise, Wrong.MISLED),
        (_told_nothing, Wrong.MISLED),
    ],
)
def test_each_violation_is_seen(plant: Callable[[Sight], None], wrong: Wrong) -> None:
    sight = _sight()
    plant(sight)
    assert wrong in _seen(sight)


def test_a_mail_may_come_twice_where_a_crash_hit_its_sending() -> None:
    sight = _sight()
    _mailed_twice(sight)
    sight.unclean_sends[PAID] = 1
    assert not _seen(sight)


def test_a_healthy_checkout_may_be_given_up_after_its_deadline_where_things_broke() -> None:
    sight = _sight()
    sight.sagas[UNDONE] |= {"reason": "deadline", "after_deadline": True}
    assert not _seen(sight)
    assert _seen(sight, may_give_up=False) == {Wrong.FALSE_COMPENSATION}


def test_the_books_are_read_as_they_were_written(tmp_path: Path) -> None:
    order = Taste(seed=1).order(20)
    _write(
        tmp_path / "clients.jsonl",
        {"event": "asked", "order": order.as_json()},
        {"event": "accepted", "key": order.key, "id": "a", "token": "t", "total": order.total},
        {"event": "read", "id": "a", "status": "completed", "charged": 1, "refunded": 0},
    )
    refund = {"id": "re", "payment_intent": "pi", "amount": 5}
    _write(
        tmp_path / "provider.jsonl",
        {"event": "intent", "intent": {"id": "pi", "amount": 5, "metadata": {"payment_id": "p"}}},
        {"event": "capture", "intent": "pi", "capture": {"amount": 5}},
        {"event": "refund", "refund": {**refund, "status": "pending"}},
        {"event": "refund", "refund": {**refund, "status": "succeeded"}},
    )
    saga = "01a210d2-0725-7fae-b16d-d4411f0c4d54"
    for n in (1, 2):
        (tmp_path / f"000{n}-confirmation.{saga}@localhost.eml").touch()
    wishes, _ = wishes_in(tmp_path / "clients.jsonl")
    wish = wishes[order.key]
    assert (wish.total, wish.ids, wish.fate) == (order.total, {"a"}, order.fate)
    assert wish.read is not None
    assert wish.read["status"] == "completed"
    money = moneys_in(tmp_path / "provider.jsonl")["pi"]
    assert (money.captures, money.refunded, money.payment_id) == ([5], [5], "p")
    assert mails_in(tmp_path)[saga] == Counter(confirmation=2)


def _write(journal: Path, *events: dict[str, object]) -> None:
    """Write a journal whose last line was torn by a kill."""
    lines = [json.dumps(event) for event in events]
    journal.write_text("\n".join([*lines, '{"event": "to']))


@pytest.mark.parametrize("guard", [*ENGINE, *DOMAINS], ids=lambda guard: guard.name)
def test_every_guard_stands_where_the_negative_control_takes_it_from(
    guard: Guard, tmp_path: Path
) -> None:
    copy = tmp_path / guard.file
    copy.parent.mkdir(parents=True)
    copy.write_text((REPOSITORY / guard.file).read_text())
    guard.take_away(tmp_path)
    compile(copy.read_text(), guard.file, "exec")
    with pytest.raises(GuardMoved):
        guard.take_away(tmp_path)
