"""Staging chaos in the console: a look first, then a POST, by those who may, where it is on."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from notifications.tests.conftest import MailServer
from sagas.checkout.tests.shopping import Shopper, id_of
from sagas.console.tests.conftest import staff
from sagas.console.tests.rows import a_saga
from sagas.models import Direction, Disturbance
from sagas.tests.conftest import drive

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

PAGE, PLAN = reverse("admin:sagas_chaos"), reverse("admin:sagas_chaos_plan")
WANTED = {
    "part": "checkout do charge_payment",
    "fault": "in_doubt",
    "attempts": "1",
    "most_sagas": "1",
    "minutes": "15",
}


@pytest.fixture
def chaos(settings: Settings) -> None:
    settings.STAGING_CHAOS = True


def stage_fault(client: Client, **changes: Any) -> Disturbance:
    answer = client.post(PLAN, {**WANTED, "reason": "the Friday drill", **changes})
    assert answer.status_code == 302, answer.text
    return Disturbance.objects.using("default").latest("id")


def test_where_it_is_off_the_console_knows_nothing_of_it(operator: Client) -> None:
    saga = a_saga()
    stop = reverse("admin:sagas_chaos_stop", args=[1])
    for answer in (
        operator.get(PAGE),
        operator.get(PLAN, WANTED),
        operator.post(PLAN, {**WANTED, "reason": "the Friday drill"}),
        operator.post(stop),
    ):
        assert answer.status_code == 404
    page = operator.get(reverse("admin:sagas_saga_change", args=[saga.pk])).text
    assert "Staging chaos" not in page
    assert "Disturb" not in page
    assert not Disturbance.objects.using("default").exists()


def test_a_look_stages_nothing_and_says_what_will_happen(operator: Client, chaos: None) -> None:
    answer = operator.get(PLAN, WANTED)
    assert answer.status_code == 200
    assert "Nothing may happen twice" in answer.text
    assert "the next one that starts" in answer.text
    assert not Disturbance.objects.using("default").exists()


@pytest.mark.parametrize(
    ("part", "fault", "words"),
    [
        ("do reserve_inventory", "refused", "never repeated: everything is undone"),
        ("do charge_payment", "hangs", "nobody knows then what the other side did"),
        ("do confirm_order", "refused", "the saga waits for a person, paid"),
        ("undo charge_payment", "refused", "the saga ends as FAILED"),
        ("do confirm_order", "fails", "12 attempts at the most"),
    ],
)
def test_the_forecast_is_the_engines_own(
    operator: Client, chaos: None, part: str, fault: str, words: str
) -> None:
    answer = operator.get(PLAN, {**WANTED, "part": f"checkout {part}", "fault": fault})
    assert words in answer.text


def test_what_is_staged_is_kept_with_who_and_why(operator: Client, chaos: None) -> None:
    row = stage_fault(operator, most_sagas=3, principal="guest")
    assert (row.step, row.direction, row.most_sagas, row.principal, row.reason) == (
        "charge_payment",
        Direction.DO,
        3,
        "guest",
        "the Friday drill",
    )
    assert row.operator.username == "olga"
    assert row.address == "127.0.0.1"
    page = operator.get(PAGE).text
    assert "the Friday drill" in page
    assert "Faults staged: 1" in page
    assert "Faults staged: 1" in operator.get(reverse("admin:orders_order_changelist")).text


def test_a_disturbed_checkout_is_linked_and_its_attempt_marked(
    guest: Shopper, outside: None, operator: Client, chaos: None
) -> None:
    stage_fault(operator)
    saga_id = id_of(guest.place())
    assert drive(saga_id).state == "COMPLETE"
    saga_page = reverse("admin:sagas_saga_change", args=[saga_id])
    part = operator.get(PAGE, {"part": "1"}).text
    assert saga_page in part
    assert "used up" in part
    history = operator.get(saga_page).text
    assert "staged-fault" in history
    assert history.count(">staged<") == 1
    assert "Faults staged" not in history


def test_a_confirmation_in_doubt_is_mailed_once(
    guest: Shopper, outside: None, smtp: MailServer, operator: Client, chaos: None
) -> None:
    stage_fault(operator, part="checkout do send_confirmation")
    assert drive(id_of(guest.place())).state == "COMPLETE"
    assert len(smtp.mails) == 1


def test_a_saga_page_offers_to_disturb_it_and_fills_the_form_in(
    operator: Client, chaos: None
) -> None:
    saga = a_saga()
    page = operator.get(reverse("admin:sagas_saga_change", args=[saga.pk])).text
    assert f"{PAGE}?saga={saga.pk}" in page
    assert f'value="{saga.pk}"' in operator.get(PAGE, {"saga": str(saga.pk)}).text
    row = stage_fault(operator, saga=str(saga.pk), most_sagas=7)
    assert (row.saga_id, row.most_sagas) == (saga.pk, 1)
    page = operator.get(reverse("admin:sagas_saga_change", args=[saga.pk])).text
    assert "Staged by olga: charge_payment is in doubt" in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"saga": "nonsense"}, "No saga has this id; copy it"),
        ({"saga": str(uuid4())}, "No saga has this id; copy it"),
        ({"attempts": "0"}, "greater than or equal to 1"),
        ({"most_sagas": "101"}, "less than or equal to 100"),
        ({"minutes": "x"}, "Enter a whole number"),
        ({"principal": "ada@example.org"}, "Write guest, or user: and a number"),
        ({"part": "checkout undo confirm_order"}, "Select a valid choice"),
        ({"fault": "explodes"}, "Select a valid choice"),
    ],
)
def test_a_wrong_value_is_named_with_its_mend(
    operator: Client, chaos: None, changes: dict[str, str], words: str
) -> None:
    for answer in (
        operator.get(PLAN, {**WANTED, **changes}),
        operator.post(PLAN, {**WANTED, "reason": "the Friday drill", **changes}),
    ):
        assert answer.status_code == 400
        assert words in answer.text
        assert "Nothing was staged" in answer.text
    assert not Disturbance.objects.using("default").exists()


def test_a_reason_is_required(operator: Client, chaos: None) -> None:
    answer = operator.post(PLAN, {**WANTED, "reason": " "})
    assert "This field is required" in answer.text
    assert "What will happen" in answer.text
    assert not Disturbance.objects.using("default").exists()


def test_a_part_that_the_chosen_checkout_has_passed_is_refused(
    operator: Client, chaos: None
) -> None:
    paid = a_saga(state="PAYMENT_CHARGED")
    answer = operator.get(PLAN, {**WANTED, "saga": str(paid.pk)})
    assert "PAYMENT_CHARGED, past that: choose one of confirm_order, send_con" in answer.text
    undo = {**WANTED, "saga": str(paid.pk), "part": "checkout undo charge_payment"}
    assert operator.get(PLAN, undo).status_code == 200
    undone = a_saga(state="COMPENSATED", reached="PENDING")
    answer = operator.get(PLAN, {**undo, "saga": str(undone.pk)})
    assert "choose another checkout" in answer.text
    unknown = a_saga(version=99)
    answer = operator.get(PLAN, {**WANTED, "saga": str(unknown.pk)})
    assert "Its version is not deployed here" in answer.text


def test_a_stop_is_asked_for_first_and_says_by_whom(operator: Client, chaos: None) -> None:
    row = stage_fault(operator)
    stop = reverse("admin:sagas_chaos_stop", args=[row.pk])
    assert stop in operator.get(PAGE).text
    assert "no more will" in operator.get(stop).text
    row.refresh_from_db(using="default")
    assert row.stopped_at is None
    for words in ("no more of it happens", "it was over already"):
        assert words in operator.post(stop, follow=True).text
    page = operator.get(PAGE).text
    assert "stopped by olga" in page
    assert "Faults staged" not in page
    assert operator.get(reverse("admin:sagas_chaos_stop", args=[row.pk + 1])).status_code == 404


def test_those_without_the_permission_look_and_stage_nothing(operator: Client, chaos: None) -> None:
    row = stage_fault(operator)
    support, stop = staff("susi", "support"), reverse("admin:sagas_chaos_stop", args=[row.pk])
    page = support.get(PAGE).text
    assert "the Friday drill" in page
    assert stop not in page
    assert "Look at what will happen" not in page
    for answer in (
        support.get(PLAN, WANTED),
        support.post(PLAN, {**WANTED, "reason": "just so"}),
        support.post(stop),
    ):
        assert answer.status_code == 403
    assert Disturbance.objects.using("default").filter(stopped_at=None).count() == 1
