"""Every rule of the audit sees what breaks it, and nothing else, on real checkouts."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from sagas import verbs
from sagas.audit import findings
from sagas.auditor import Mend
from sagas.checkout.tests.auditing import told
from sagas.checkout.tests.breaking import (
    MUG,
    TOTAL,
    Break,
    Faults,
    Scene,
    Shop,
    cancel_order,
    capture_here,
    charge_more_here,
    charge_twice,
    confirm,
    double_payment,
    expected,
    give_money_back_here,
    hold_again,
    hold_less,
    leave_open,
    let_stock_go,
    lose_mail,
    lose_order,
    lose_payment,
    raise_line,
    raise_price,
    refund_more_than_captured,
    uncancel,
    unconfirm,
    unsend_mail,
    write_mail,
)
from sagas.checkout.tests.shopping import id_of
from sagas.tests.conftest import NOBODY, drive

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

RETRY, COMPENSATE, ASK = Mend.RETRY, Mend.COMPENSATE, Mend.ASK
STOCK, BY_HAND = Mend.STOCK, Mend.BY_HAND


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-offs are due at once."""
    monkeypatch.setattr("sagas.definitions.Retry.delay_after", lambda self, attempts: 0.0)


def break_each(make: Callable[[], Scene], cases: list[tuple[Break, Faults]]) -> None:
    """Break a checkout of its own in each way; one audit then tells each by its fault alone."""
    sound = make()
    assert told() == []
    broken = [(make(), act, faults) for act, faults in cases]
    for scene, act, _ in broken:
        act(scene)
    found = told()
    for scene, act, faults in broken:
        mine = [each for each in found if each[1] == scene.saga_id]
        assert mine == expected(scene, *faults), act.__name__
    assert not [each for each in found if each[1] in (None, sound.saga_id)]


# COMPLETE ---------------------------------------------------------------------------------

COMPLETE: list[tuple[Break, Faults]] = [
    (unconfirm, [("order-confirmed", TOTAL, COMPENSATE)]),
    (cancel_order, [("order-stands", TOTAL, COMPENSATE)]),
    (lose_order, [("order-stands", TOTAL, COMPENSATE)]),
    (raise_price, [("order-total", TOTAL, COMPENSATE)]),
    (raise_line, [("order-lines", TOTAL, COMPENSATE)]),
    (let_stock_go, [("stock-held", TOTAL, COMPENSATE)]),
    (hold_less, [("stock-is-the-orders", TOTAL, COMPENSATE)]),
    (
        give_money_back_here,
        [("money-held", TOTAL, COMPENSATE), ("refunded-here-not-there", TOTAL, BY_HAND)],
    ),
    (
        charge_more_here,
        [
            ("money-held", 100, COMPENSATE),
            ("payment-total", 100, COMPENSATE),
            ("captured-here-not-there", 100, BY_HAND),
            ("intent-amount", 100, BY_HAND),
        ],
    ),
    (
        refund_more_than_captured,
        [
            ("money-held", 3000, COMPENSATE),
            ("refunded-captured-amount", 500, COMPENSATE),
            ("refunded-here-not-there", 3000, BY_HAND),
        ],
    ),
    (charge_twice, [("one-charge-one-refund", TOTAL, COMPENSATE)]),
    (
        double_payment,
        [("one-row-a-saga", TOTAL, BY_HAND), ("intent-unknown-there", TOTAL, BY_HAND)],
    ),
    (lose_mail, [("confirmation-sent", TOTAL, BY_HAND)]),
    (unsend_mail, [("confirmation-sent", TOTAL, BY_HAND)]),
    (write_mail("apology"), [("apology-early", TOTAL, BY_HAND)]),
]


def test_what_breaks_a_complete_checkout_is_seen(shop: Shop) -> None:
    break_each(shop.complete, COMPLETE)


def test_what_was_ordered_and_what_is_held_are_told_line_by_line(shop: Shop) -> None:
    lines = [{"sku": "MUG", "quantity": 2}, {"sku": "BOWL", "quantity": 1}]
    scene = Scene(drive(id_of(shop.guest.place(lines=lines))).pk, shop.vandal)
    assert told() == []
    scene.inventory(
        "UPDATE inventory_reservationline SET quantity = 1 WHERE sku = 'MUG' AND reservation_id ="
        " (SELECT id FROM inventory_reservation WHERE saga_id = %s)"
    )
    scene.reserved(-1)
    assert [rule for rule, *_ in told()] == ["stock-is-the-orders"]
    (finding,) = findings.of_saga(scene.saga_id)
    assert finding.what == "COMPLETE, but ordered BOWL*1 MUG*2, held BOWL*1 MUG*1"


def test_a_charge_whose_payment_is_gone_belongs_to_nobody(complete: Scene) -> None:
    lose_payment(complete)
    assert told() == sorted(
        [
            ("money-held", complete.saga_id, TOTAL, COMPENSATE.value),
            ("charge-without-payment", None, TOTAL, BY_HAND.value),
        ],
        key=str,
    )


# COMPENSATED ------------------------------------------------------------------------------

COMPENSATED: list[tuple[Break, Faults]] = [
    (uncancel, [("order-undone", TOTAL, BY_HAND)]),
    (confirm, [("order-undone", TOTAL, BY_HAND)]),
    (hold_again, [("stock-released", TOTAL, STOCK)]),
    (
        capture_here,
        [("money-given-back", TOTAL, ASK), ("captured-here-not-there", TOTAL, BY_HAND)],
    ),
    (leave_open, [("payment-closed", TOTAL, ASK)]),
    (write_mail("confirmation"), [("confirmation-early", TOTAL, BY_HAND)]),
    (lose_mail, [("shopper-told", 0, RETRY)]),
]


def test_what_breaks_a_compensated_checkout_is_seen(shop: Shop) -> None:
    break_each(shop.compensated, COMPENSATED)


# On the way -------------------------------------------------------------------------------


UNPAID: list[tuple[Break, Faults]] = [
    (confirm, [("order-confirmed-early", TOTAL, COMPENSATE)]),
    (let_stock_go, [("stock-held", TOTAL, COMPENSATE)]),
    (write_mail("confirmation"), [("confirmation-early", TOTAL, BY_HAND)]),
]


def test_what_breaks_a_checkout_on_its_way_is_seen(shop: Shop) -> None:
    break_each(shop.unpaid, UNPAID)


def test_an_effect_whose_turn_has_not_come_is_seen(shop: Shop) -> None:
    """At PENDING, only the order may be there already."""
    just_placed = shop.just_placed()
    just_placed.vandal.write(
        "payments",
        "INSERT INTO payments_payment (id, saga_id, order_id, amount, currency, provider,"
        " provider_ref, status, captured, refunded, decline_code, created_at, updated_at, checks)"
        " VALUES (%s, %s, %s, 2500, 'EUR', 'fake', 'pi_made_up', 'SUCCEEDED', 2500, 0, '', now(),"
        " now(), 0)",
        uuid4(), just_placed.saga_id, uuid4(),
    )  # fmt: skip
    faults = [("money-given-back", TOTAL, COMPENSATE), ("intent-unknown-there", TOTAL, BY_HAND)]
    assert told() == expected(just_placed, *faults)


# FAILED -----------------------------------------------------------------------------------


@pytest.fixture
def failed(shop: Shop) -> Scene:
    return shop.failed()


def test_a_failed_checkout_waits_for_a_person_with_the_money_at_risk(failed: Scene) -> None:
    assert told() == expected(failed, ("waits-for-a-person", TOTAL, RETRY))


def test_what_a_failed_checkout_has_undone_stays_undone(failed: Scene) -> None:
    hold_again(failed)
    faults = [("stock-released", TOTAL, STOCK), ("waits-for-a-person", TOTAL, RETRY)]
    assert told() == expected(failed, *faults)


def test_a_failed_checkout_leaves_no_confirmed_order_that_is_not_paid(complete: Scene) -> None:
    """The refund got through, the cancelling of the order did not."""
    complete.vandal.refuse_updates("orders", "orders_order")
    verbs.compensate(complete.saga_id, mandate=NOBODY, past_pivot=True)
    assert drive(complete.saga_id).state == "FAILED"
    faults = [("confirmed-is-paid", TOTAL, RETRY), ("waits-for-a-person", 0, RETRY)]
    assert told() == expected(complete, *faults)


# The shelf --------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "off"), [(1, 1), (-2, 2)])
def test_stock_that_is_not_the_sum_of_what_is_held_is_seen(
    complete: Scene, change: int, off: int
) -> None:
    complete.reserved(change)
    assert told() == [("stock-adds-up", None, off * MUG, STOCK.value)]


def test_oversold_stock_is_seen(complete: Scene) -> None:
    complete.vandal.drop("inventory", "inventory_stock", "inventory_no_oversell")
    complete.vandal.write("inventory", "UPDATE inventory_stock SET on_hand = 1 WHERE sku = 'MUG'")
    assert told() == [("stock-adds-up", None, MUG, STOCK.value)]


# Orphans ----------------------------------------------------------------------------------


def test_rows_of_a_saga_that_is_gone_are_seen_in_every_domain(complete: Scene) -> None:
    complete.saga("DELETE FROM sagas_saga WHERE id = %s")
    faults = [
        ("order-has-a-saga", TOTAL, BY_HAND),
        ("reservation-has-a-saga", 0, STOCK),
        ("payment-has-a-saga", TOTAL, BY_HAND),
        ("mail-has-a-saga", 0, BY_HAND),
    ]
    assert told() == expected(complete, *faults)


def test_a_receipt_without_a_saga_is_seen_in_every_domain(complete: Scene) -> None:
    nobodies = []
    for domain in ("orders", "inventory", "payments", "notifications"):
        nobody = uuid4()
        nobodies.append(("receipt-has-a-saga", nobody, 0, BY_HAND.value))
        complete.vandal.write(
            domain,
            f"INSERT INTO {domain}_receipt (id, saga_id, step, done_at, result, undone_at,"
            " undo_result, created_at) VALUES (%s, %s, 'a_step', NULL, '{}', now(), '{}', now())",
            uuid4(), nobody,
        )  # fmt: skip
    assert told() == sorted(nobodies, key=str)


def test_a_draft_without_a_saga_is_harmless(complete: Scene) -> None:
    complete.vandal.write("orders", "UPDATE orders_draft SET checkout_id = gen_random_uuid()")
    assert told() == []
