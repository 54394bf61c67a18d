"""The console in a real browser on the real system: from a stuck saga to a settled one."""

from collections.abc import Iterator
from threading import Barrier, Thread
from typing import Any
from uuid import UUID

import httpx
import pytest
from django.urls import reverse
from playwright.sync_api import Browser

from sagas.audit import runs
from sagas.console.tests.conftest import make_groups
from sagas.models import Assignment, AuditRun, BulkItem, OperatorAction, Saga
from tests.browser import Desk, desk, employ, running_browser
from tests.conftest import Stack
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture
def olga(shop: Stack, browser: Browser) -> Iterator[Desk]:
    """An operator at her desk; the browser must have had nothing to complain of."""
    make_groups()
    employ("olga", "operator")
    sitting = desk(browser, address(shop), "olga")
    yield sitting
    assert sitting.faults == []
    sitting.page.context.close()


def address(shop: Stack) -> str:
    return f"http://127.0.0.1:{shop.ports.web}"


def page_of(saga_id: UUID | str) -> str:
    return reverse("admin:sagas_saga_change", args=[saga_id])


def saga_of(placed: httpx.Response) -> Saga:
    return Saga.objects.using("default").get(pk=placed.json()["id"])


def reaches(placed: httpx.Response, *states: str) -> Saga:
    """Wait until the saga is in one of ``states``, by the hands of the real workers."""
    return eventually(lambda: saga_of(placed), until=lambda saga: saga.state in states, timeout=60)


def failed(shop: Stack, olga: Desk, token: str) -> httpx.Response:
    """A paid checkout that was compensated, and whose refund the bank refuses."""
    placed = shop.place(key=f"{token}-failed", token=token)
    reaches(placed, "COMPLETE")
    olga.open(page_of(placed.json()["id"]))
    olga.press("Compensate past the pivot")
    reaches(placed, "FAILED")
    return placed


def charged_past_us(shop: Stack) -> str:
    """Let the provider hold a charge of 129.00 EUR that we never asked for; return its id."""
    provider = f"http://127.0.0.1:{shop.ports.provider}/v1/payment_intents"
    body = {"amount": 12_900, "currency": "eur", "payment_method": "tok_success"}
    ours = {"Authorization": "Bearer sk_test_dashboard"}
    charge = str(httpx.post(provider, data=body, headers=ours).json()["id"])
    httpx.post(f"{provider}/{charge}/confirm", headers=ours).raise_for_status()
    return charge


def test_a_failed_refund_is_found_in_the_queue_and_retried_from_its_step(
    shop: Stack, olga: Desk
) -> None:
    placed = failed(shop, olga, "tok_refund_refused_once")
    number = placed.json()["order_number"] or shop.look(placed)["order_number"]
    olga.open(reverse("admin:sagas_saga_needs_a_human"))
    olga.reads("undo failed: charge_payment")
    olga.page.get_by_role("button", name="Claim").click()
    eventually(Assignment.objects.using("default").exists)
    olga.page.get_by_role("link", name=number).click()
    olga.reads("12.50 EUR is still to be given back")
    olga.press("Retry from charge_payment")
    reaches(placed, "COMPENSATED")
    olga.reads("all of 12.50 EUR was given back")
    assert shop.settled(placed)["refunded"] == 1250


def test_the_audit_is_run_from_the_console_and_shows_what_it_finds(shop: Stack, olga: Desk) -> None:
    charge = charged_past_us(shop)
    olga.open(reverse("admin:sagas_saga_audit"))
    olga.reads("Never ran.")
    olga.page.get_by_role("button", name="Audit now").click()
    olga.reads("Asked for.")
    ended = AuditRun.objects.using("default").filter(finished_at__isnull=False)
    eventually(ended.exists, timeout=60)
    olga.open(reverse("admin:sagas_saga_audit"))
    olga.reads(f"the provider holds the charge {charge}, and there is no payment of ours")
    olga.reads("129.00 EUR")


def test_a_window_is_reconciled_from_the_console_and_a_wrong_one_refused(
    shop: Stack, olga: Desk
) -> None:
    charge = charged_past_us(shop)
    olga.open(reverse("admin:sagas_saga_audit"))
    olga.reads("Not reconciled yet.")
    olga.page.get_by_label("From, UTC").fill("2026-01-02T00:00")
    olga.page.get_by_label("To, UTC").fill("2026-01-01T00:00")
    reconcile = olga.page.get_by_role("button", name="Reconcile")
    reconcile.click()
    olga.reads("Not done: From (2026-01-02 00:00 UTC) is not before To")
    olga.faults.clear()  # the browser complains of a 400 as well
    olga.page.get_by_label("From, UTC").fill("")
    olga.page.get_by_label("To, UTC").fill("")
    reconcile.click()
    olga.reads("Asked for.")
    ended = AuditRun.objects.using("default").filter(finished_at__isnull=False, scope="ledger")
    eventually(ended.exists, timeout=60)
    # The provider remembers the charges of the tests before, whose payments are gone.
    count = runs.differences().count()
    assert count >= 1
    olga.open(reverse("admin:sagas_saga_audit"))
    olga.reads(f"{count} difference{'s' if count > 1 else ''} open.")
    olga.reads(f"the provider holds the charge {charge}, and there is no payment of ours")


def test_the_list_finds_a_stuck_checkout_by_the_shoppers_mail(shop: Stack, olga: Desk) -> None:
    placed = failed(shop, olga, "tok_refund_refused")
    olga.open(reverse("admin:sagas_saga_changelist") + "?stuck=yes")
    olga.reads("undo failed: charge_payment")
    olga.open(reverse("admin:sagas_saga_changelist") + "?q=ada@example.org")
    olga.reads("FAILED")
    olga.page.get_by_role("link", name=shop.look(placed)["order_number"]).click()
    olga.reads("Say to the shopper")


def test_a_refused_refund_is_resolved_by_hand(shop: Stack, olga: Desk) -> None:
    placed = failed(shop, olga, "tok_refund_refused")
    olga.open(page_of(placed.json()["id"]))
    olga.press("Resolve by hand", reference="SEPA 4711")
    reaches(placed, "COMPENSATED")
    assert shop.settled(placed)["refunded"] == 1250


def test_a_charge_in_doubt_is_settled_by_asking_the_provider(shop: Stack, olga: Desk) -> None:
    placed = shop.place(key="in-doubt", token="tok_late_success_600")
    eventually(lambda: saga_of(placed), until=lambda saga: saga.error_outcome == "in_doubt")
    olga.open(page_of(placed.json()["id"]))
    olga.reads("in doubt")
    httpx.post(f"http://127.0.0.1:{shop.ports.provider}/v1/test_helpers/advance", timeout=20)
    # The saga asks by itself as well, so the operator may come too late; both ways are right.
    reaches(placed, "INVENTORY_RESERVED", "PAYMENT_CHARGED", "ORDER_CONFIRMED", "COMPLETE")
    reaches(placed, "COMPLETE")
    olga.open(page_of(placed.json()["id"]))
    olga.press("Ask the provider")
    olga.reads("the provider says: the payment is succeeded")


def test_pause_holds_a_checkout_and_resume_lets_it_go_on(shop: Stack, olga: Desk) -> None:
    placed = shop.place(key="paused", token="tok_late_success_600")
    eventually(lambda: saga_of(placed), until=lambda saga: saga.error_outcome == "in_doubt")
    _until_done(olga, placed, "Pause", "pause")
    assert saga_of(placed).parked == "paused"
    httpx.post(f"http://127.0.0.1:{shop.ports.provider}/v1/test_helpers/advance", timeout=20)
    olga.open(page_of(placed.json()["id"]))
    olga.press("Resume")
    reaches(placed, "COMPLETE")


def _until_done(olga: Desk, placed: httpx.Response, label: str, verb: str) -> None:
    """Press a verb on a saga that moves: a stale look is refused, so look again."""

    def press() -> bool:
        olga.open(page_of(placed.json()["id"]))
        olga.press(label)
        return OperatorAction.objects.using("default").filter(verb=verb).exists()

    eventually(press)
    olga.faults[:] = [fault for fault in olga.faults if "409" not in fault]


def test_the_mail_is_sent_again(shop: Stack, olga: Desk) -> None:
    placed = shop.place(key="mail-again")
    reaches(placed, "COMPLETE")
    olga.open(page_of(placed.json()["id"]))
    olga.press("Send the mail again")
    olga.reads("was sent again")
    assert OperatorAction.objects.using("default").get().verb == "mail"


def test_a_look_that_is_stale_is_refused_with_what_is_so_now(shop: Stack, olga: Desk) -> None:
    placed = shop.place(key="stale")
    reaches(placed, "COMPLETE")
    olga.open(page_of(placed.json()["id"]))
    olga.page.get_by_role("link", name="Compensate past the pivot").click()
    second = olga.page.context.new_page()
    other = Desk(second, olga.address)
    other.open(page_of(placed.json()["id"]))
    other.press("Send the mail again")
    other.reads("was sent again")
    olga.confirm("Compensate past the pivot", reason="the shopper called")
    olga.reads("it has moved on since you looked")
    assert saga_of(placed).state == "COMPLETE"
    olga.faults.clear()  # the browser notes the 409


def test_two_operators_at_once_have_one_effect(shop: Stack, olga: Desk, browser: Browser) -> None:
    """Guard: the revision that both forms carry, compared under the row's lock."""
    employ("otto", "operator")
    placed = shop.place(key="two-operators")
    saga_id = reaches(placed, "COMPLETE").pk
    url = reverse("admin:sagas_saga_verb", args=[saga_id, "compensate"])
    otto = desk(browser, address(shop), "otto")
    forms = [_form(sitting, url) for sitting in (olga, otto)]
    together, answers = Barrier(2), list[int]()

    def post(cookies: dict[str, str], form: dict[str, str]) -> None:
        together.wait(timeout=20)
        headers = {"Referer": f"{address(shop)}{url}"}
        with httpx.Client(cookies=cookies, headers=headers, timeout=30) as client:
            answers.append(client.post(f"{address(shop)}{url}", data=form).status_code)

    threads = [Thread(target=post, args=form) for form in forms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [302, 409]
    assert OperatorAction.objects.using("default").filter(verb="compensate").count() == 1
    reaches(placed, "COMPENSATED")
    otto.page.context.close()


def _form(sitting: Desk, url: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the cookies and the filled-in form of a dry run that is on the screen."""
    sitting.open(url)
    fields = ("csrfmiddlewaretoken", "seen")
    form: dict[str, str] = {
        name: sitting.page.locator(f"form[data-once] [name={name}]").input_value()
        for name in fields
    }
    cookies: list[Any] = sitting.page.context.cookies()
    return {cookie["name"]: cookie["value"] for cookie in cookies}, {**form, "reason": "both"}


def test_a_viewer_sees_everything_and_is_offered_nothing(
    shop: Stack, olga: Desk, browser: Browser
) -> None:
    employ("vera", "viewer")
    placed = shop.place(key="viewer")
    reaches(placed, "COMPLETE")
    vera = desk(browser, address(shop), "vera")
    vera.open(page_of(placed.json()["id"]))
    vera.reads("you lack the permission sagas.compensate_saga_past_pivot")
    assert vera.page.locator("a.mg-button").count() == 0
    answer = vera.page.context.request.post(
        f"{address(shop)}{reverse('admin:sagas_saga_verb', args=[placed.json()['id'], 'mail'])}",
        form={"seen": "1.1.x", "reason": "just so"},
    )
    assert answer.status == 403
    vera.page.context.close()


def test_the_kill_switch_holds_new_checkouts_back_and_says_so_everywhere(
    shop: Stack, olga: Desk
) -> None:
    olga.open(reverse("admin:sagas_saga_switches"))
    olga.page.get_by_label("Why New checkouts is held back").fill("the bank is down")
    olga.page.get_by_role("button", name="Hold back").first.click()
    olga.reads("the bank is down")
    refused = shop.place(key="held-back")
    assert (refused.status_code, refused.json()["type"]) == (
        503,
        "/api/v1/problems/intake-closed",
    )
    assert int(refused.headers["Retry-After"]) > 0
    olga.open(reverse("admin:orders_order_changelist"))
    olga.reads("Held back: New checkouts")
    olga.open(reverse("admin:sagas_saga_switches"))
    olga.page.get_by_role("button", name="Let it go on").click()
    olga.reads("New checkouts: goes on")
    assert shop.place(key="held-back").status_code in (201, 202)


def test_a_bulk_run_over_many_sagas_reports_what_became_of_each(shop: Stack, olga: Desk) -> None:
    count, refusing = 60, 6
    with httpx.Client(timeout=30) as client:
        for n in range(count):
            # The first few must end well, or the canary stops the run.
            token = "tok_refund_refused" if 20 <= n < 20 + refusing else "tok_success"
            shop.place(key=f"bulk-{n}", token=token, client=client)
    sagas = Saga.objects.using("default")
    eventually(
        lambda: sagas.filter(state="COMPLETE").count(), until=lambda n: n == count, timeout=120
    )
    olga.open(reverse("admin:sagas_saga_changelist") + "?o=9&state=COMPLETE")
    olga.page.locator("#action-toggle").check()
    olga.page.get_by_text(f"Select all {count}").click()
    olga.page.locator("select[name=action]").select_option("compensate_chosen")
    olga.page.get_by_role("button", name="Run").click()
    olga.reads(f"Compensate: {count} sagas")
    olga.page.get_by_label("Reason").fill("wrong price in the catalogue")
    olga.page.get_by_label("Sagas a second at the most").fill("50")
    olga.page.get_by_label("Stop when more than this fail").fill("10")
    olga.page.get_by_role("button", name="Begin with the first few").click()
    olga.reads(f"Compensate: {count} of {count}", timeout=150)
    items = BulkItem.objects.using("default")
    assert items.filter(outcome="succeeded").count() == count - refusing
    assert items.filter(outcome="failed").count() == refusing
    assert set(items.filter(outcome="failed").values_list("words", flat=True)) == {
        "FAILED: charge_payment"
    }
    olga.reads("FAILED: charge_payment")
