"""What the demo shows, as tests on the real system: processes, broker, provider, SMTP."""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID

import httpx
import pytest

from inventory.models import Status
from inventory.services import holdings, receive_stock
from orders.models import Order
from payments.models import Payment
from payments.services import money_of
from sagas.models import Outcome, Saga, StepRun
from tests.conftest import Stack
from tests.waiting import eventually
from tooling.local import stack as processes

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


def _place_bowl(shop: Stack, key: str) -> httpx.Response:
    return shop.place(key=key, lines=[{"sku": "LAST-UNIT", "quantity": 1}])


def _held(checkout_id: str) -> int:
    return sum(h.quantity for h in holdings(saga_id=UUID(checkout_id)) if h.status == Status.HELD)


def _order_status(checkout_id: str) -> str:
    return str(Order.objects.using("orders").get(saga_id=checkout_id).status)


def _at_rest(checkout_id: str) -> Saga:
    return eventually(
        lambda: Saga.objects.using("default").get(pk=checkout_id),
        until=lambda saga: saga.due_direction is None,
        timeout=40,
    )


def _captures(shop: Stack, checkout_id: str) -> int:
    payment = Payment.objects.using("payments").get(saga_id=checkout_id)
    return len(shop.ledger()["captures"].get(payment.provider_ref, ()))


def test_a_checkout_that_meets_no_trouble_completes(shop: Stack) -> None:
    placed = shop.place(key="well", lines=[{"sku": "MUG-BLUE", "quantity": 2}])
    assert placed.status_code == 202
    standing = shop.settled(placed)
    checkout_id = standing["id"]
    saga = _at_rest(checkout_id)
    assert (saga.state, standing["status"]) == ("COMPLETE", "completed")
    assert (standing["charged"], standing["refunded"]) == (2500, 0)
    assert (_held(checkout_id), _order_status(checkout_id)) == (2, "CONFIRMED")
    assert _captures(shop, checkout_id) == 1
    (mail,) = shop.mails(checkout_id)
    assert mail["To"] == "ada@example.org"
    assert checkout_id in mail["Message-ID"]


def test_a_declined_card_undoes_stock_and_order_and_says_sorry(shop: Stack) -> None:
    standing = shop.settled(shop.place(key="declined", token="tok_declined"))
    checkout_id = standing["id"]
    saga = _at_rest(checkout_id)
    assert (saga.state, standing["status"]) == ("COMPENSATED", "failed")
    assert standing["reason"]["code"] == "card-declined"
    assert (standing["charged"], standing["refunded"]) == (0, 0)
    assert (_held(checkout_id), _order_status(checkout_id)) == (0, "CANCELLED")
    (mail,) = shop.mails(checkout_id)
    assert mail["Message-ID"].startswith("<apology.")


def test_of_two_shoppers_who_want_the_last_unit_one_gets_it(shop: Stack) -> None:
    """Guard: the conditional UPDATE of the stock, met through the whole system."""
    for race in range(10):
        with ThreadPoolExecutor(2) as pool:
            keys = [f"last-{race}-{n}" for n in range(2)]
            placed = list(pool.map(partial(_place_bowl, shop), keys))
        if all(each.status_code == 202 for each in placed):
            break
        receive_stock(sku="LAST-UNIT", quantity=1)
    else:
        pytest.fail("the two shoppers never met")
    standings = sorted((shop.settled(each) for each in placed), key=lambda s: s["status"])
    assert [standing["status"] for standing in standings] == ["completed", "failed"]
    assert standings[1]["reason"]["code"] == "out-of-stock"
    assert [_held(standing["id"]) for standing in standings] == [1, 0]
    assert money_of(saga_id=UUID(standings[1]["id"])).captured == 0


def test_a_charge_whose_reply_is_lost_is_asked_for_and_not_repeated(shop: Stack) -> None:
    standing = shop.settled(shop.place(key="lost", token="tok_reply_lost"))
    assert standing["status"] == "completed"
    assert _captures(shop, standing["id"]) == 1
    runs = StepRun.objects.using("default").filter(saga_id=standing["id"], step="charge_payment")
    assert [run.outcome for run in runs] == [Outcome.IN_DOUBT, Outcome.SUCCEEDED]


def test_a_mail_server_that_is_down_holds_nothing_but_the_mail_back(shop: Stack) -> None:
    shop.supervisor.stop("mail")
    try:
        placed = shop.place(key="mail")
        checkout_id = placed.json()["id"]
        eventually(
            lambda: Saga.objects.using("default").get(pk=checkout_id),
            until=lambda saga: saga.error_step == "send_confirmation",
        )
        assert shop.look(placed)["status"] == "completed"
        assert shop.mails(checkout_id) == []
    finally:
        shop.supervisor.start(processes.mailcatcher(shop.folder / "mails", shop.ports))
    assert _at_rest(checkout_id).state == "COMPLETE"
    assert len(shop.mails(checkout_id)) == 1


def test_a_worker_killed_in_the_middle_of_the_charge_charges_once(shop: Stack) -> None:
    placed = shop.place(key="killed", token="tok_slow_2")
    checkout_id = placed.json()["id"]
    eventually(lambda: _confirm_arrived(shop, checkout_id))
    shop.supervisor.kill("outside")
    assert _at_rest(checkout_id).state == "COMPLETE"
    assert _captures(shop, checkout_id) == 1
    runs = StepRun.objects.using("default").filter(saga_id=checkout_id, step="charge_payment")
    assert runs[0].outcome == Outcome.LOST
    assert len(shop.mails(checkout_id)) == 1


def test_equal_requests_at_once_make_one_checkout_and_one_charge(shop: Stack) -> None:
    with ThreadPoolExecutor(8) as pool:
        placed = list(pool.map(lambda _: shop.place(key="equal"), range(20)))
    assert {each.status_code for each in placed} <= {201, 202}
    (checkout_id,) = {each.json()["id"] for each in placed}
    assert shop.settled(placed[0])["status"] == "completed"
    assert Order.objects.using("orders").count() == 1
    assert _captures(shop, checkout_id) == 1


def _confirm_arrived(shop: Stack, checkout_id: str) -> bool:
    payment = Payment.objects.using("payments").filter(saga_id=checkout_id).first()
    if payment is None or not payment.provider_ref:
        return False
    path = f"/v1/payment_intents/{payment.provider_ref}/confirm"
    lines = (shop.folder / "provider.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    return any(event["event"] == "request" and event["path"] == path for event in events)
