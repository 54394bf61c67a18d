"""The checkout's saga on the real domains, the provider as a process and a mail server.

The test plays the broker's part: it delivers each message itself, so that what happens
between two messages is the test's to decide. At the end of each story the audit looks at it.
"""

import json
import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db.models.functions import Now
from django.forms.models import model_to_dict

from inventory.models import Stock
from inventory.services import reset_stock
from notifications.models import Message
from notifications.tests.conftest import MailServer
from orders.models import Order
from payments.models import Payment
from payments.services import sweep_late_successes
from payments.tests.provider import FakeProvider
from sagas import journal, operations, recovery, verbs
from sagas.audit import findings, runs
from sagas.checkout.tests.shopping import EMAIL, PERSONAL, Shopper, id_of
from sagas.models import Direction, OperatorAction, Outcome, Saga, StepRun
from sagas.tests.conftest import NOBODY, deliver, drive, let_time_pass

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-offs are due at once."""
    monkeypatch.setattr("sagas.definitions.Retry.delay_after", lambda self, attempts: 0.0)


@pytest.fixture
def provider(mortal_provider: FakeProvider) -> FakeProvider:
    """One whose ledger has this story's charges only."""
    return mortal_provider


@pytest.fixture(autouse=True)
def audited(provider: FakeProvider, smtp: MailServer) -> Iterator[None]:
    """However a story ends, no rule is broken."""
    yield
    run = runs.run(runs.Scope.EVERYTHING)
    broken = [str(each) for each in findings.open_findings().filter(severity="violation")]
    assert (broken, run.not_looked_at) == ([], [])


def held(sku: str = "MUG") -> int:
    return Stock.objects.using("inventory").get(pk=sku).reserved


def order_of(saga_id: UUID) -> Order:
    return Order.objects.using("orders").get(saga_id=saga_id)


def payment_of(saga_id: UUID) -> Payment:
    return Payment.objects.using("payments").get(saga_id=saga_id)


def played(saga_id: UUID) -> list[tuple[str, str, str]]:
    runs = StepRun.objects.using("default").filter(saga_id=saga_id).order_by("pk")
    return [(run.step, run.direction, run.outcome) for run in runs]


def test_all_goes_well(guest: Shopper, provider: FakeProvider, smtp: MailServer) -> None:
    placed = guest.place()
    saga = drive(id_of(placed))
    assert saga.state == "COMPLETE"
    assert order_of(saga.pk).status == "CONFIRMED"
    assert held() == 2
    payment = payment_of(saga.pk)
    assert len(provider.captures(payment.provider_ref)) == 1
    assert [mail["To"] for mail in smtp.mails] == [EMAIL]
    standing = guest.look(placed).json()
    assert (standing["status"], standing["charged"], standing["refunded"]) == ("completed", 2500, 0)
    answer = guest.http.get(
        standing["links"]["order"],
        headers={"Authorization": f"Order {placed.json()['order_token']}"},
    )
    assert answer.json()["status"] == "CONFIRMED"


def test_sold_out_meanwhile(guest: Shopper, provider: FakeProvider, smtp: MailServer) -> None:
    placed = guest.place(lines=[{"sku": "BOWL", "quantity": 1}])
    reset_stock(sku="BOWL", available=0)
    saga = drive(id_of(placed))
    assert (saga.state, saga.reason) == ("COMPENSATED", "out-of-stock")
    assert order_of(saga.pk).status == "CANCELLED"
    assert held("BOWL") == 0
    assert not Payment.objects.using("payments").filter(saga_id=saga.pk).exists()
    standing = guest.look(placed).json()
    assert (standing["status"], standing["reason"]["code"]) == ("failed", "out-of-stock")
    assert len(smtp.mails) == 1


def test_a_declined_card(guest: Shopper, provider: FakeProvider, smtp: MailServer) -> None:
    placed = guest.place(payment_token="tok_insufficient_funds")
    saga = drive(id_of(placed))
    assert (saga.state, saga.reason) == ("COMPENSATED", "card-declined")
    assert (held(), order_of(saga.pk).status) == (0, "CANCELLED")
    payment = payment_of(saga.pk)
    assert provider.captures(payment.provider_ref) == []
    standing = guest.look(placed).json()
    assert (standing["status"], standing["charged"]) == ("failed", 0)
    assert standing["reason"] == {"code": "card-declined", "detail": "The card was declined."}
    undone = [step for step, direction, _ in played(saga.pk) if direction == Direction.UNDO]
    assert undone == ["charge_payment", "reserve_inventory", "create_order"]


def test_a_lost_reply_is_asked_for_and_not_charged_again(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    saga = drive(id_of(guest.place(payment_token="tok_reply_lost")))
    assert saga.state == "COMPLETE"
    assert len(provider.captures(payment_of(saga.pk).provider_ref)) == 1
    charges = [outcome for step, _, outcome in played(saga.pk) if step == "charge_payment"]
    assert charges == [Outcome.IN_DOUBT, Outcome.SUCCEEDED]


def test_a_success_that_comes_after_the_undo_is_refunded(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    placed = guest.place(payment_token="tok_success_after_decline_60")
    saga_id = id_of(placed)
    assert drive(saga_id).state == "COMPENSATED"
    assert guest.look(placed).json()["charged"] == 0
    provider.advance()
    ref = payment_of(saga_id).provider_ref
    assert len(provider.captures(ref)) == 1
    Payment.objects.using("payments").update(next_check_at=Now())
    assert sweep_late_successes(limit=10) == 1
    assert provider.refunded(ref) == 2500
    standing = guest.look(placed).json()
    assert (standing["status"], standing["charged"], standing["refunded"]) == ("failed", 2500, 2500)


def test_while_a_refund_is_refused_the_shopper_reads_reversing_and_gets_no_mail(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    placed = guest.place(payment_token="tok_refund_refused")
    saga_id = id_of(placed)
    drive(saga_id, until="PAYMENT_CHARGED")
    verbs.compensate(saga_id, mandate=NOBODY, past_pivot=True)
    saga = drive(saga_id)
    assert saga.state == "FAILED"
    assert saga.given_up == ["charge_payment"]
    # The undos that do not need it ran all the same.
    assert (held(), order_of(saga_id).status) == (0, "CANCELLED")
    standing = guest.look(placed).json()
    assert (standing["status"], standing["charged"], standing["refunded"]) == ("reversing", 2500, 0)
    assert smtp.mails == []


def test_an_operator_undoes_a_paid_checkout(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    placed = guest.place()
    saga_id = id_of(placed)
    drive(saga_id, until="PAYMENT_CHARGED")
    verbs.compensate(saga_id, mandate=NOBODY, past_pivot=True)
    assert drive(saga_id).state == "COMPENSATED"
    assert provider.refunded(payment_of(saga_id).provider_ref) == 2500
    standing = guest.look(placed).json()
    assert (standing["status"], standing["charged"], standing["refunded"]) == ("failed", 2500, 2500)
    assert standing["reason"]["code"] == "operator"
    assert "25.00" in smtp.mails[0].as_string()


def test_mail_that_cannot_be_delivered_now_does_not_hold_the_order_up(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    smtp.data_replies = ["451 try later"]
    placed = guest.place()
    saga_id = id_of(placed)
    drive(saga_id, until="ORDER_CONFIRMED")
    deliver(saga_id)
    assert guest.look(placed).json()["status"] == "completed"
    operations.dispatch(saga_id)
    assert drive(saga_id).state == "COMPLETE"
    assert len(smtp.mails) == 1


def test_a_worker_that_dies_between_effect_and_save_repeats_nothing(
    guest: Shopper, provider: FakeProvider, smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guard: the receipts in each domain (without them: a second charge, hold and mail)."""

    class Died(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Died

    saga_id = id_of(guest.place())
    for _ in range(5):
        with monkeypatch.context() as dying:
            dying.setattr("sagas.executor.end_well", die)
            with pytest.raises(Died):
                deliver(saga_id)
        let_time_pass(saga_id)
        recovery.recover()
        deliver(saga_id)
    assert journal.read(saga_id).state == "COMPLETE"
    assert held() == 2
    assert Order.objects.using("orders").count() == 1
    assert len(provider.captures(payment_of(saga_id).provider_ref)) == 1
    assert len(smtp.mails) == 1


@pytest.mark.parametrize(
    ("until", "answer"),
    [("", 202), ("ORDER_CREATED", 202), ("INVENTORY_RESERVED", 202), ("PAYMENT_CHARGED", 409)],
)
def test_a_shopper_cancels_until_the_money_is_taken(
    guest: Shopper, provider: FakeProvider, smtp: MailServer, until: str, answer: int
) -> None:
    placed = guest.place()
    saga_id = id_of(placed)
    if until:
        drive(saga_id, until=until)
    cancelled = guest.cancel(placed)
    assert cancelled.status_code == answer
    if answer == 202:
        assert cancelled.json()["status"] == "reversing"
        assert guest.cancel(placed).status_code == 202
        assert drive(saga_id).state == "COMPENSATED"
        assert guest.look(placed).json()["status"] == "cancelled"
        assert guest.cancel(placed).status_code == 202
        assert held() == 0
    else:
        assert cancelled.json()["type"] == "/api/v1/problems/past-the-pivot"
        assert drive(saga_id).state == "COMPLETE"


def test_what_was_refused_by_the_shop_cannot_be_cancelled_on_top(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    placed = guest.place(payment_token="tok_declined")
    drive(id_of(placed))
    assert guest.cancel(placed).status_code == 409


@pytest.mark.parametrize("token", ["tok_success", "tok_declined", "tok_refund_refused"])
def test_personal_data_stays_in_its_domains(
    guest: Shopper,
    provider: FakeProvider,
    smtp: MailServer,
    caplog: pytest.LogCaptureFixture,
    token: str,
) -> None:
    smtp.rcpt_replies = ["450 try later"]
    with caplog.at_level(logging.DEBUG):
        placed = guest.place(payment_token=token)
        saga_id = id_of(placed)
        drive(saga_id, until="PAYMENT_CHARGED")
        if journal.read(saga_id).state == "PAYMENT_CHARGED" and token == "tok_refund_refused":
            verbs.compensate(saga_id, mandate=NOBODY, past_pivot=True)
        drive(saga_id)
    rows = [
        *Saga.objects.using("default").all(),
        *StepRun.objects.using("default").all(),
        *OperatorAction.objects.using("default").all(),
        *Payment.objects.using("payments").all(),
    ]
    # The mail server of the test logs what it is told; ours is the other side.
    logged = [record.getMessage() for record in caplog.records if record.name != "mail.log"]
    written = json.dumps([[model_to_dict(row) for row in rows], logged], default=str)
    ledger = json.dumps(provider.get("/v1/ledger"))
    assert str(saga_id) in written
    for word in PERSONAL:
        assert word not in written
        assert word not in ledger
    assert token not in written
    assert Message.objects.using("notifications").count() <= 1
