"""The pages of the verbs: a dry run first, one effect for one word, and nothing by GET."""

from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from inventory.models import Stock
from notifications.tests.conftest import MailServer
from payments.models import Payment, PaymentOperation
from payments.tests.provider import FakeProvider
from sagas import journal, verbs
from sagas.checkout.tests.shopping import Shopper, id_of
from sagas.console.tests.conftest import staff
from sagas.models import ActionOutcome, Approval, Assignment, OperatorAction, Saga, SwitchLog
from sagas.tests.conftest import NOBODY, deliver, drive

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


def page(saga_id: UUID, verb: str) -> str:
    return reverse("admin:sagas_saga_verb", args=[saga_id, verb])


def seen(client: Client, saga_id: UUID, verb: str) -> str:
    """Return what the dry run showed."""
    answer = client.get(page(saga_id, verb))
    assert answer.status_code == 200, answer.content
    value: str = answer.context["form"].initial["seen"]
    return value


def press(client: Client, saga_id: UUID, verb: str, **changes: str) -> Any:
    """Look at the dry run, then press the button."""
    word = {"seen": changes.pop("seen", "") or seen(client, saga_id, verb), "reason": "by phone"}
    return client.post(page(saga_id, verb), {**word, **changes})


def failed(guest: Shopper) -> UUID:
    """A checkout whose refund the bank refuses."""
    saga_id = id_of(guest.place(payment_token="tok_refund_refused"))
    drive(saga_id, until="PAYMENT_CHARGED")
    verbs.compensate(saga_id, mandate=NOBODY, past_pivot=True)
    assert drive(saga_id).state == "FAILED"
    return saga_id


def test_the_dry_run_names_every_call_with_amount_sku_and_key(
    guest: Shopper, operator: Client, provider: FakeProvider, smtp: MailServer
) -> None:
    saga_id = drive(id_of(guest.place())).pk
    payment = Payment.objects.using("payments").get(saga_id=saga_id)
    text = operator.get(page(saga_id, "compensate")).text
    assert f"refund the charge of {payment.provider_ref}" in text
    assert "25.00 EUR" in text
    assert f"makegood-{payment.pk}-refund-1" in text
    assert "release 2 x MUG" in text
    assert "cancel order MG-" in text


def test_asking_about_a_failed_refund_says_that_it_is_tried_again(
    guest: Shopper, operator: Client, provider: FakeProvider, smtp: MailServer
) -> None:
    calls = operator.get(page(failed(guest), "ask")).context["preview"].calls
    assert [(call.system, call.amount) for call in calls] == [
        ("provider", None),
        ("provider", 2500),
    ]


def test_a_dry_run_says_what_is_done_already_and_will_be_skipped(
    guest: Shopper, operator: Client, provider: FakeProvider, smtp: MailServer
) -> None:
    saga_id = id_of(guest.place())
    drive(saga_id, until="PAYMENT_CHARGED")
    verbs.pause(saga_id, mandate=NOBODY)
    text = operator.get(page(saga_id, "compensate")).text
    assert "will be made" in text
    calls = operator.get(page(saga_id, "resume")).context["preview"].calls
    assert [call.system for call in calls] == ["orders", "mail"]


def test_looking_changes_nothing(
    guest: Shopper, operator: Client, provider: FakeProvider, smtp: MailServer
) -> None:
    saga_id = drive(id_of(guest.place())).pk
    before = Saga.objects.using("default").filter(pk=saga_id).values().get()
    for verb in ("retry", "compensate", "pause", "resume", "ask", "mail", "resolve", "note",
                 "claim", "release"):  # fmt: skip
        operator.get(page(saga_id, verb))
    operator.get(reverse("admin:sagas_saga_change", args=[saga_id]))
    assert Saga.objects.using("default").filter(pk=saga_id).values().get() == before
    assert not OperatorAction.objects.using("default").exists()
    assert not Assignment.objects.using("default").exists()
    assert len(smtp.mails) == 1


def test_compensating_past_the_pivot_refunds_releases_and_cancels(
    guest: Shopper, operator: Client, provider: FakeProvider, smtp: MailServer
) -> None:
    saga_id = drive(id_of(guest.place())).pk
    assert press(operator, saga_id, "compensate").status_code == 302
    assert drive(saga_id).state == "COMPENSATED"
    payment = Payment.objects.using("payments").get(saga_id=saga_id)
    assert provider.refunded(payment.provider_ref) == 2500
    assert Stock.objects.using("inventory").get(pk="MUG").reserved == 0
    action = OperatorAction.objects.using("default").get()
    assert (action.verb, action.reason, action.state) == ("compensate", "by phone", "COMPLETE")
    assert action.address == "127.0.0.1"
    assert action.verdict["charged"] == 2500
    assert action.preview[0]["system"] == "provider"
    outcome = ActionOutcome.objects.using("default").get(action=action)
    assert outcome.state == "COMPENSATING"


def test_a_stale_preview_is_refused_and_nothing_is_done(
    guest: Shopper, operator: Client, provider: FakeProvider, smtp: MailServer
) -> None:
    saga_id = id_of(guest.place())
    shown = seen(operator, saga_id, "compensate")
    deliver(saga_id)
    answer = press(operator, saga_id, "compensate", seen=shown)
    assert answer.status_code == 409
    assert "it has moved on since you looked" in answer.text
    assert journal.read(saga_id).state == "ORDER_CREATED"
    assert not OperatorAction.objects.using("default").exists()


def test_a_verdict_that_changed_since_is_refused_though_the_saga_did_not_move(
    guest: Shopper, operator: Client, provider: FakeProvider, smtp: MailServer
) -> None:
    saga_id = drive(id_of(guest.place())).pk
    shown = seen(operator, saga_id, "compensate")
    Payment.objects.using("payments").filter(saga_id=saga_id).update(
        status="REFUNDED", refunded=2500
    )
    answer = press(operator, saga_id, "compensate", seen=shown)
    assert answer.status_code == 409
    assert journal.read(saga_id).state == "COMPLETE"


@pytest.mark.parametrize("verb", ["compensate", "mail", "ask"])
def test_a_double_click_has_one_effect(
    guest: Shopper, operator: Client, provider: FakeProvider, smtp: MailServer, verb: str
) -> None:
    """Guard: the revision that the form carries (without it: two mails, two log entries)."""
    saga_id = drive(id_of(guest.place())).pk
    shown = seen(operator, saga_id, verb)
    answers = [press(operator, saga_id, verb, seen=shown).status_code for _ in range(2)]
    assert answers == [302, 409]
    assert OperatorAction.objects.using("default").count() == 1
    assert len(smtp.mails) == (2 if verb == "mail" else 1)


def test_the_mail_goes_out_again_under_the_same_message_id(
    guest: Shopper, operator: Client, provider: FakeProvider, smtp: MailServer
) -> None:
    saga_id = drive(id_of(guest.place())).pk
    press(operator, saga_id, "mail")
    first, second = smtp.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert journal.read(saga_id).state == "COMPLETE"


def test_retry_from_the_failed_step_runs_only_what_is_missing(
    guest: Shopper, operator: Client, provider: FakeProvider, smtp: MailServer
) -> None:
    placed = guest.place(payment_token="tok_refund_refused_once")
    saga_id = id_of(placed)
    drive(saga_id, until="PAYMENT_CHARGED")
    verbs.compensate(saga_id, mandate=NOBODY, past_pivot=True)
    assert drive(saga_id).state == "FAILED"
    shown = operator.get(page(saga_id, "retry"))
    assert "Retry from charge_payment" in shown.text
    assert press(operator, saga_id, "retry").status_code == 302
    assert drive(saga_id).state == "COMPENSATED"
    assert guest.look(placed).json()["refunded"] == 2500


def test_a_refund_by_bank_transfer_is_resolved_by_hand_with_evidence(
    guest: Shopper, operator: Client, provider: FakeProvider, smtp: MailServer
) -> None:
    saga_id = failed(guest)
    answer = press(operator, saga_id, "resolve", reference="")
    assert answer.status_code == 200
    assert "This field is required" in answer.text
    assert press(operator, saga_id, "resolve", reference="SEPA 4711").status_code == 302
    assert drive(saga_id).state == "COMPENSATED"
    payment = Payment.objects.using("payments").get(saga_id=saga_id)
    assert (payment.captured, payment.refunded) == (2500, 2500)
    refunds = PaymentOperation.objects.using("payments").filter(kind="refund", status="SUCCEEDED")
    assert refunds.get().provider_ref == "by hand: SEPA 4711"
    assert provider.refunded(payment.provider_ref) == 0
    assert OperatorAction.objects.using("default").get(verb="resolve").reference == "SEPA 4711"


def test_nothing_is_resolved_by_hand_while_the_provider_has_not_confirmed_the_payment(
    guest: Shopper, operator: Client, provider: FakeProvider, smtp: MailServer
) -> None:
    saga_id = id_of(guest.place(payment_token="tok_late_success_600"))
    drive(saga_id, until="INVENTORY_RESERVED")
    deliver(saga_id)
    text = operator.get(reverse("admin:sagas_saga_change", args=[saga_id])).text
    assert "in doubt" in text
    assert "Provider does not say" in text
    answer = operator.post(
        page(saga_id, "resolve"),
        {"seen": "x", "reason": "I am sure", "reference": "my memory"},
    )
    assert answer.status_code == 409
    assert journal.read(saga_id).state == "INVENTORY_RESERVED"


def test_asking_the_provider_settles_a_charge_in_doubt(
    guest: Shopper, operator: Client, provider: FakeProvider, smtp: MailServer
) -> None:
    saga_id = id_of(guest.place(payment_token="tok_late_success_600"))
    drive(saga_id, until="INVENTORY_RESERVED")
    deliver(saga_id)
    provider.advance()
    assert press(operator, saga_id, "ask").status_code == 302
    assert Payment.objects.using("payments").get(saga_id=saga_id).captured == 2500
    assert drive(saga_id).state == "COMPLETE"


def test_a_paused_saga_stays_where_it_is_until_it_is_resumed(
    guest: Shopper, operator: Client, provider: FakeProvider, smtp: MailServer
) -> None:
    saga_id = id_of(guest.place())
    drive(saga_id, until="ORDER_CREATED")
    press(operator, saga_id, "pause")
    assert drive(saga_id).state == "ORDER_CREATED"
    assert "paused" in operator.get(reverse("admin:sagas_saga_change", args=[saga_id])).text
    assert press(operator, saga_id, "resume").status_code == 302
    assert drive(saga_id).state == "COMPLETE"


def test_above_the_limit_a_second_operator_has_to_agree(
    guest: Shopper,
    operator: Client,
    provider: FakeProvider,
    smtp: MailServer,
    settings: Settings,
) -> None:
    settings.CONSOLE_APPROVAL_AMOUNT = 1000
    saga_id = drive(id_of(guest.place())).pk
    assert "another operator agrees" in operator.get(page(saga_id, "compensate")).text
    press(operator, saga_id, "compensate")
    assert journal.read(saga_id).state == "COMPLETE"
    again = press(operator, saga_id, "compensate")
    assert again.status_code == 409
    assert journal.read(saga_id).state == "COMPLETE"
    other = staff("otto", "operator")
    assert press(other, saga_id, "compensate").status_code == 302
    assert journal.read(saga_id).state == "COMPENSATING"
    approval = Approval.objects.using("default").get()
    assert (approval.requested_by.username, approval.approved_by.username) == ("olga", "otto")  # type: ignore[union-attr]
    action = OperatorAction.objects.using("default").get()
    assert "asked for by olga" in action.reason


def test_what_two_operators_agreed_to_is_used_up_although_the_process_dies(
    guest: Shopper,
    operator: Client,
    outside: None,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Guard: the approval is used up before the verb; else one operator could use it again."""
    settings.CONSOLE_APPROVAL_AMOUNT = 1000
    saga_id = drive(id_of(guest.place())).pk
    press(operator, saga_id, "compensate")
    other = staff("otto", "operator")

    compensate = verbs.compensate

    def compensate_and_die(*words: Any, **more: Any) -> None:
        compensate(*words, **more)
        raise SystemExit

    monkeypatch.setattr(verbs, "compensate", compensate_and_die)
    with pytest.raises(SystemExit):
        press(other, saga_id, "compensate")
    assert journal.read(saga_id).state == "COMPENSATING"
    assert not Approval.objects.using("default").filter(approved_by=None).exists()


@pytest.mark.parametrize(
    ("group", "verb", "status"),
    [
        ("viewer", "retry", 403),
        ("viewer", "compensate", 403),
        ("viewer", "note", 403),
        ("support", "compensate", 403),
        ("support", "pause", 403),
        ("support", "resolve", 403),
        ("support", "mail", 302),
    ],
)
def test_each_verb_has_its_permission_on_direct_posts_too(
    guest: Shopper, outside: None, group: str, verb: str, status: int
) -> None:
    saga = drive(id_of(guest.place()))
    client = staff("vera", group)
    looked = client.get(page(saga.pk, verb))
    shown = looked.context["form"].initial["seen"] if looked.status_code == 200 else "1.1.x"
    posted = client.post(page(saga.pk, verb), {"seen": shown, "reason": "just so"})
    assert posted.status_code == status
    assert journal.read(saga.pk).state == "COMPLETE"
    assert client.get(reverse("admin:sagas_saga_change", args=[saga.pk])).status_code == 200


def test_support_compensates_before_the_pivot(
    guest: Shopper, staff_groups: None, provider: FakeProvider, smtp: MailServer
) -> None:
    saga_id = id_of(guest.place())
    assert press(staff("susi", "support"), saga_id, "compensate").status_code == 302
    assert drive(saga_id).state == "COMPENSATED"


def test_a_large_amount_past_the_pivot_needs_the_permission_for_any_amount(
    guest: Shopper,
    operator: Client,
    provider: FakeProvider,
    smtp: MailServer,
    settings: Settings,
) -> None:
    settings.CONSOLE_PAST_PIVOT_LIMIT = 100
    saga = drive(id_of(guest.place()))
    assert operator.get(page(saga.pk, "compensate")).status_code == 403


def test_one_person_at_a_time_takes_care_of_a_saga(
    guest: Shopper, operator: Client, provider: FakeProvider, smtp: MailServer
) -> None:
    saga_id = id_of(guest.place())
    other = staff("otto", "operator")
    operator.post(page(saga_id, "claim"))
    other.post(page(saga_id, "claim"))
    assert Assignment.objects.using("default").get().operator.username == "olga"
    operator.post(page(saga_id, "note"), {"reason": "called the bank"})
    other.post(page(saga_id, "release"))
    assert not Assignment.objects.using("default").exists()
    log = [a.verb for a in OperatorAction.objects.using("default").all()]
    assert log == ["claim", "note", "release"]


def test_an_anonymous_visitor_sees_the_login_page_only(guest: Shopper) -> None:
    saga_id = id_of(guest.place())
    for verb in ("compensate", "claim"):
        answer = Client().post(page(saga_id, verb), {"seen": "1.0.x", "reason": "x"})
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/admin/login/")
    assert journal.read(saga_id).state == "PENDING"


def test_a_form_of_another_site_is_refused(guest: Shopper, operator: Client) -> None:
    saga_id = id_of(guest.place())
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies
    assert strict.post(page(saga_id, "claim")).status_code == 403
    assert not SwitchLog.objects.using("default").exists()
