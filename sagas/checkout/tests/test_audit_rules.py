"""Every rule of the audit sees what breaks it, and nothing else, on real checkouts.

Each test writes into the tables what the code never would; where the database refuses that,
its constraint or trigger is taken away first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from notifications.tests.conftest import MailServer
from orders.models import Order
from payments.models import Payment
from payments.tests.provider import FakeProvider
from sagas import verbs
from sagas.auditor import Mend
from sagas.checkout.tests.auditing import Told, Vandal, told
from sagas.checkout.tests.shopping import Shopper, id_of
from sagas.tests.conftest import NOBODY, drive

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

RETRY, COMPENSATE, ASK = Mend.RETRY, Mend.COMPENSATE, Mend.ASK
STOCK, BY_HAND = Mend.STOCK, Mend.BY_HAND
#: Two mugs.
TOTAL, MUG = 2500, 1250


@dataclass
class Scene:
    """A checkout, and somebody who breaks it."""

    saga_id: UUID
    vandal: Vandal

    def orders(self, statement: str, *values: object) -> None:
        self.vandal.write("orders", statement, *values, self.saga_id)

    def inventory(self, statement: str, *values: object) -> None:
        self.vandal.write("inventory", statement, *values, self.saga_id)

    def payments(self, statement: str, *values: object) -> None:
        self.vandal.write("payments", statement, *values, self.saga_id)

    def mails(self, statement: str, *values: object) -> None:
        self.vandal.write("notifications", statement, *values, self.saga_id)

    def saga(self, statement: str, *values: object) -> None:
        self.vandal.write("default", statement, *values, self.saga_id)

    def reserved(self, change: int) -> None:
        self.vandal.write(
            "inventory", "UPDATE inventory_stock SET reserved = reserved + %s WHERE sku = 'MUG'",
            change,
        )  # fmt: skip

    @property
    def order_id(self) -> UUID:
        return Order.objects.using("orders").get(saga_id=self.saga_id).pk

    @property
    def payment(self) -> Payment:
        return Payment.objects.using("payments").get(saga_id=self.saga_id)


Break = Callable[[Scene], None]
#: Which rule, how much is at stake, and what mends it.
Faults = list[tuple[str, int, Mend]]


@dataclass
class Shop:
    """Where checkouts come from, in one state or another."""

    guest: Shopper
    vandal: Vandal

    def complete(self) -> Scene:
        return Scene(drive(id_of(self.guest.place())).pk, self.vandal)

    def compensated(self) -> Scene:
        placed = self.guest.place(payment_token="tok_declined")
        return Scene(drive(id_of(placed)).pk, self.vandal)

    def unpaid(self) -> Scene:
        """It is INVENTORY_RESERVED, and goes on."""
        saga = drive(id_of(self.guest.place()), until="INVENTORY_RESERVED")
        return Scene(saga.pk, self.vandal)

    def just_placed(self) -> Scene:
        return Scene(id_of(self.guest.place()), self.vandal)

    def failed(self) -> Scene:
        """Stock and order are undone, the refund was refused."""
        saga_id = id_of(self.guest.place(payment_token="tok_refund_refused"))
        drive(saga_id, until="PAYMENT_CHARGED")
        verbs.compensate(saga_id, mandate=NOBODY, past_pivot=True)
        assert drive(saga_id).state == "FAILED"
        return Scene(saga_id, self.vandal)


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-offs are due at once."""
    monkeypatch.setattr("sagas.definitions.Retry.delay_after", lambda self, attempts: 0.0)


@pytest.fixture
def shop(guest: Shopper, mortal_provider: FakeProvider, smtp: MailServer, vandal: Vandal) -> Shop:
    return Shop(guest, vandal)


@pytest.fixture
def complete(shop: Shop) -> Scene:
    return shop.complete()


def expected(scene: Scene, *faults: tuple[str, int, Mend]) -> list[Told]:
    told = [(rule, scene.saga_id, amount, mend.value) for rule, amount, mend in faults]
    return sorted(told, key=str)


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


def unconfirm(scene: Scene) -> None:
    scene.orders(
        "UPDATE orders_order SET status = 'PENDING', confirmed_at = NULL WHERE saga_id = %s"
    )


def cancel_order(scene: Scene) -> None:
    scene.orders(
        "UPDATE orders_order SET status = 'CANCELLED', cancelled_at = now() WHERE saga_id = %s"
    )


def lose_order(scene: Scene) -> None:
    scene.orders("DELETE FROM orders_order WHERE saga_id = %s")


def raise_price(scene: Scene) -> None:
    raise_line(scene)
    scene.orders("UPDATE orders_order SET total = 2600 WHERE saga_id = %s")


def raise_line(scene: Scene) -> None:
    scene.vandal.write(
        "orders",
        "UPDATE orders_orderline SET unit_price = 1300, line_total = 2600 WHERE order_id = %s",
        scene.order_id,
    )


def let_stock_go(scene: Scene) -> None:
    scene.inventory(
        "UPDATE inventory_reservation SET status = 'RELEASED', released_at = now()"
        " WHERE saga_id = %s"
    )
    scene.reserved(-2)


def hold_less(scene: Scene) -> None:
    scene.inventory(
        "UPDATE inventory_reservationline SET quantity = 1 WHERE reservation_id ="
        " (SELECT id FROM inventory_reservation WHERE saga_id = %s)"
    )
    scene.reserved(-1)


def lose_payment(scene: Scene) -> None:
    scene.payments("DELETE FROM payments_payment WHERE saga_id = %s")


def give_money_back_here(scene: Scene) -> None:
    scene.payments(
        "UPDATE payments_payment SET status = 'REFUNDED', refunded = captured WHERE saga_id = %s"
    )


def charge_more_here(scene: Scene) -> None:
    scene.payments("UPDATE payments_payment SET amount = 2600, captured = 2600 WHERE saga_id = %s")


def refund_more_than_captured(scene: Scene) -> None:
    scene.vandal.drop(
        "payments", "payments_payment", "payments_refunded_le_captured_le_amount",
        "payments_status_agrees_with_money",
    )  # fmt: skip
    scene.payments("UPDATE payments_payment SET refunded = 3000 WHERE saga_id = %s")


def charge_twice(scene: Scene) -> None:
    scene.vandal.drop("payments", "payments_paymentoperation", "payments_one_charge_a_payment")
    scene.vandal.write(
        "payments",
        "INSERT INTO payments_paymentoperation (id, payment_id, kind, generation, idempotency_key,"
        " amount, status, provider_ref, error_code, key_spent, created_at, settled_at) VALUES"
        " (%s, %s, 'charge', 2, %s, 2500, 'SUCCEEDED', '', '', false, now(), now())",
        uuid4(), scene.payment.pk, str(uuid4()),
    )  # fmt: skip


def double_payment(scene: Scene) -> None:
    scene.vandal.drop("payments", "payments_payment", "payments_one_payment_a_saga")
    scene.vandal.write(
        "payments",
        "INSERT INTO payments_payment (id, saga_id, order_id, amount, currency, provider,"
        " provider_ref, status, captured, refunded, decline_code, created_at, updated_at, checks)"
        " SELECT %s, saga_id, order_id, amount, currency, provider, 'pi_made_up', status, captured,"
        " refunded, '', now(), now(), 0 FROM payments_payment WHERE saga_id = %s",
        uuid4(), scene.saga_id,
    )  # fmt: skip


def lose_mail(scene: Scene) -> None:
    scene.mails("DELETE FROM notifications_message WHERE saga_id = %s")


def unsend_mail(scene: Scene) -> None:
    scene.mails(
        "UPDATE notifications_message SET status = 'PENDING', sent_at = NULL WHERE saga_id = %s"
    )


def write_mail(kind: str) -> Break:
    def act(scene: Scene) -> None:
        scene.vandal.write(
            "notifications",
            "INSERT INTO notifications_message (id, saga_id, kind, order_ref, recipient, subject,"
            " text_body, html_body, message_id, status, attempts, last_error, created_at, sent_at)"
            " VALUES (%s, %s, %s, '', 'a@b.example', '', '', '', %s, 'SENT', 1, '', now(), now())",
            uuid4(), scene.saga_id, kind, f"<{uuid4()}>",
        )  # fmt: skip

    return act


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


def uncancel(scene: Scene) -> None:
    scene.orders(
        "UPDATE orders_order SET status = 'PENDING', cancelled_at = NULL WHERE saga_id = %s"
    )


def confirm(scene: Scene) -> None:
    scene.orders(
        "UPDATE orders_order SET status = 'CONFIRMED', confirmed_at = now(), cancelled_at = NULL"
        " WHERE saga_id = %s"
    )


def hold_again(scene: Scene) -> None:
    scene.inventory(
        "UPDATE inventory_reservation SET status = 'HELD', released_at = NULL WHERE saga_id = %s"
    )
    scene.reserved(2)


def capture_here(scene: Scene) -> None:
    scene.payments(
        "UPDATE payments_payment SET status = 'REVERSING', captured = amount WHERE saga_id = %s"
    )


def leave_open(scene: Scene) -> None:
    scene.payments("UPDATE payments_payment SET status = 'IN_DOUBT' WHERE saga_id = %s")


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
