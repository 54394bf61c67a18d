"""A shop whose checkouts stand where a test wants them, and every way in which one is broken.

Each writes into the tables what the code never would; where the database refuses that, its
constraint is taken away first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

from orders.models import Order
from payments.models import Payment
from sagas import verbs
from sagas.auditor import Mend
from sagas.checkout.tests.auditing import Told, Vandal
from sagas.checkout.tests.shopping import Shopper, id_of
from sagas.tests.conftest import NOBODY, drive

#: Two mugs, and one.
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


def expected(scene: Scene, *faults: tuple[str, int, Mend]) -> list[Told]:
    told = [(rule, scene.saga_id, amount, mend.value) for rule, amount, mend in faults]
    return sorted(told, key=str)


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
        "payments_status_agrees_with_money", "payments_refunds_fit_the_capture",
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
