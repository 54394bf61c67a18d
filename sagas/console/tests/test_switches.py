"""Switches: a held-back intake or step waits, compensation goes on, and the log says who."""

import pytest
from django.test import Client
from django.urls import reverse

from sagas import journal, switches
from sagas.checkout.tests.shopping import Shopper, assert_problem, id_of, left_behind, new_key
from sagas.console.tests.conftest import staff
from sagas.models import Switch, SwitchLog
from sagas.tests.conftest import deliver, drive, let_time_pass

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

PAGE = reverse("admin:sagas_saga_switches")


def close(client: Client, name: str, reason: str = "the bank is down") -> None:
    answer = client.post(PAGE, {"name": name, "do": "close", "reason": reason})
    assert answer.status_code == 302


def test_a_held_back_intake_answers_503_with_retry_after_and_takes_nothing(
    guest: Shopper, operator: Client
) -> None:
    close(operator, switches.intake_of("checkout"))
    key = new_key()
    answer = guest.place(key=key)
    assert_problem(answer, 503, "intake-closed")
    assert int(answer.headers["Retry-After"]) > 0
    assert left_behind() == (0, 0, 0)
    operator.post(PAGE, {"name": switches.intake_of("checkout"), "do": "open"})
    assert guest.place(key=key).status_code == 202


def test_a_repeat_of_what_was_placed_before_is_still_answered(
    guest: Shopper, operator: Client
) -> None:
    key = new_key()
    placed = guest.place(key=key)
    close(operator, switches.intake_of("checkout"))
    assert id_of(guest.place(key=key)) == id_of(placed)


def test_a_saga_waits_before_a_held_back_step_and_uses_no_attempt_up(
    guest: Shopper, outside: None, operator: Client
) -> None:
    saga_id = id_of(guest.place())
    close(operator, switches.step_of("checkout", "charge_payment"))
    drive(saga_id, until="INVENTORY_RESERVED")
    for _ in range(5):
        deliver(saga_id)
        let_time_pass(saga_id)
    saga = journal.read(saga_id)
    assert (saga.state, saga.attempts) == ("INVENTORY_RESERVED", 0)
    operator.post(PAGE, {"name": switches.step_of("checkout", "charge_payment"), "do": "open"})
    assert drive(saga_id).state == "COMPLETE"


def test_compensation_goes_on_while_steps_and_intake_are_held_back(
    guest: Shopper, outside: None, operator: Client
) -> None:
    placed = guest.place(payment_token="tok_declined")
    saga_id = id_of(placed)
    drive(saga_id, until="COMPENSATING")
    for lever in ("create_order", "reserve_inventory", "charge_payment"):
        close(operator, switches.step_of("checkout", lever))
    assert drive(saga_id).state == "COMPENSATED"


def test_a_held_back_checkout_is_still_undone_at_its_deadline(
    guest: Shopper, outside: None, operator: Client
) -> None:
    saga_id = id_of(guest.place())
    drive(saga_id, until="INVENTORY_RESERVED")
    close(operator, switches.step_of("checkout", "charge_payment"))
    let_time_pass(saga_id, deadline=True)
    saga = drive(saga_id)
    assert (saga.state, saga.reason) == ("COMPENSATED", "deadline")


def test_the_log_says_who_and_why(operator: Client) -> None:
    close(operator, switches.intake_of("checkout"))
    close(operator, switches.intake_of("checkout"), reason="twice")
    entry = SwitchLog.objects.using("default").get()
    assert (entry.closed, entry.reason, entry.operator.username) == (
        True,
        "the bank is down",
        "olga",
    )
    assert "the bank is down" in operator.get(PAGE).text


def test_a_reason_is_required_and_unknown_switches_are_refused(operator: Client) -> None:
    close(operator, switches.intake_of("checkout"), reason=" ")
    close(operator, "step:checkout:no_such_step")
    assert not Switch.objects.using("default").exists()


def test_only_those_with_the_permission_move_a_switch(outside: None) -> None:
    support = staff("susi", "support")
    answer = support.post(
        PAGE, {"name": switches.intake_of("checkout"), "do": "close", "reason": "x"}
    )
    assert answer.status_code == 403
    assert support.get(PAGE).status_code == 200
    assert not Switch.objects.using("default").exists()
