"""Reconciliation: the provider's charges of a window beside our payments, by command and task."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.models.functions import Now
from django_celery_beat.models import PeriodicTask
from pytest_django import Settings

from notifications.tests.conftest import MailServer
from payments import reconciling
from payments.gateways import ledger
from payments.gateways.fake import FakeGateway
from payments.gateways.ledger import Entry
from payments.gateways.port import InDoubt
from payments.tests.provider import FakeProvider
from sagas import verbs
from sagas.audit import findings, runs, tasks, windows
from sagas.audit.runs import Scope
from sagas.audit.windows import BadWindow, Window, window_of
from sagas.auditor import Mend
from sagas.checkout.tests.auditing import Vandal, assert_is_offered, audit
from sagas.checkout.tests.shopping import Shopper, id_of
from sagas.checkout.tests.test_audit_ledger import TOTAL, charge, payment_of
from sagas.models import AuditRun, Finding, Heartbeat
from sagas.participant.among import clock
from sagas.tests.conftest import NOBODY, drive

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def provider(mortal_provider: FakeProvider) -> FakeProvider:
    """One whose ledger has this test's charges only."""
    return mortal_provider


@pytest.fixture
def paid(guest: Shopper, provider: FakeProvider, smtp: MailServer) -> UUID:
    return drive(id_of(guest.place())).pk


@pytest.fixture
def no_skew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The borders of a window are sharp, but for the provider's whole seconds."""
    monkeypatch.setattr(reconciling, "SKEW", timedelta(seconds=2))


def command(*words: str) -> tuple[int, str]:
    """Return exit status and output of ``manage.py reconcile_payments``."""
    out = StringIO()
    try:
        call_command("reconcile_payments", *words, stdout=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def report(*words: str) -> tuple[int, dict[str, Any]]:
    status, text = command("--json", *words)
    return status, json.loads(text)


def reconciled(window: Window | None = None) -> AuditRun:
    """Run a reconciliation over a window, the one that is due by default."""
    return runs.run(Scope.LEDGER, window=window or windows.due(clock("default")))


def told() -> Sequence[tuple[str, UUID | None, int, str]]:
    """Reconcile, and return what differs; each mend that is a verb is offered."""
    reconciled()
    found = list(runs.differences())
    for each in found:
        assert_is_offered(each)
    return sorted(((e.invariant, e.saga_id, e.amount, e.mend) for e in found), key=str)


def between(since: timedelta, until: timedelta) -> Window:
    """Return a window by its distance from now."""
    now = clock("default")
    return Window(since=now + since, until=now + until)


# What differs -----------------------------------------------------------------------------


def test_a_clean_shop_has_no_difference_and_says_what_was_read(paid: UUID) -> None:
    status, text = command()
    assert status == 0
    assert "1 charges were read and 1 payments compared" in text
    assert "0 differences are open" in text
    assert Heartbeat.objects.using("default").filter(name="reconciliation").exists()


def test_no_saga_has_to_have_moved_for_a_difference_to_be_found(
    paid: UUID, provider: FakeProvider
) -> None:
    audit()
    ref = charge(provider, uuid4())
    assert told() == [("charge-without-payment", None, TOTAL, Mend.BY_HAND.value)]
    (finding,) = runs.differences()
    assert finding.what.endswith("refund it in the provider's dashboard")
    assert ref in finding.what
    provider.post("/v1/refunds", {"payment_intent": ref}).raise_for_status()
    assert told() == []


def test_a_second_charge_is_found_and_gone_once_it_is_given_back(
    paid: UUID, provider: FakeProvider
) -> None:
    ref = charge(provider, payment_of(paid).pk)
    assert told() == [("charged-twice", paid, TOTAL, Mend.BY_HAND.value)]
    provider.post("/v1/refunds", {"payment_intent": ref}).raise_for_status()
    assert told() == []


@pytest.mark.parametrize(
    ("column", "value", "amount"), [("amount", "2400", 100), ("currency", "'USD'", 2500)]
)
def test_another_amount_or_currency_is_found(
    paid: UUID, vandal: Vandal, column: str, value: str, amount: int
) -> None:
    vandal.drop("payments", "payments_payment", "payments_refunded_le_captured_le_amount",
                "payments_captured_whole_or_not", "payments_status_agrees_with_money")  # fmt: skip
    vandal.write("payments", f"UPDATE payments_payment SET {column} = {value}")
    assert told() == [("intent-amount", paid, amount, Mend.BY_HAND.value)]


def test_a_part_that_was_refunded_there_is_recorded_by_asking(
    paid: UUID, provider: FakeProvider
) -> None:
    body = {"payment_intent": payment_of(paid).provider_ref, "amount": 100}
    provider.post("/v1/refunds", body).raise_for_status()
    assert told() == [("refunded-there-not-here", paid, 100, Mend.ASK.value)]
    verbs.ask(paid, mandate=NOBODY)
    assert payment_of(paid).refunded == 100
    assert told() == []
    assert audit().violations == 0


def test_all_of_it_refunded_there_is_mended_by_undoing_the_order(
    paid: UUID, provider: FakeProvider
) -> None:
    ref = payment_of(paid).provider_ref
    provider.post("/v1/refunds", {"payment_intent": ref}).raise_for_status()
    assert told() == [("refunded-there-not-here", paid, TOTAL, Mend.COMPENSATE.value)]
    verbs.compensate(paid, mandate=NOBODY, past_pivot=True)
    assert drive(paid).state == "COMPENSATED"
    assert told() == []
    assert provider.refunded(ref) == TOTAL


def test_what_is_refunded_here_and_not_there_is_found(
    paid: UUID, provider: FakeProvider, vandal: Vandal
) -> None:
    vandal.write("payments", "UPDATE payments_payment SET refunded = captured, status = 'REFUNDED'")
    assert told() == [("refunded-here-not-there", paid, TOTAL, Mend.BY_HAND.value)]


def test_what_is_captured_here_and_not_there_is_found(paid: UUID, provider: FakeProvider,
                                                      vandal: Vandal) -> None:  # fmt: skip
    body = {"amount": TOTAL, "currency": "eur",
            "metadata": {"payment_id": str(payment_of(paid).pk)}}  # fmt: skip
    open_one = provider.post("/v1/payment_intents", body).json()["id"]
    vandal.write("payments", "UPDATE payments_payment SET provider_ref = %s", open_one)
    assert told() == [
        ("captured-here-not-there", paid, TOTAL, Mend.BY_HAND.value),
        ("charged-twice", paid, TOTAL, Mend.BY_HAND.value),
    ]


def test_a_charge_that_the_payment_forgot_is_recorded_by_asking(
    paid: UUID, provider: FakeProvider, vandal: Vandal
) -> None:
    """As after a backup of the payments was restored: the row is from before the charge."""
    ref = payment_of(paid).provider_ref
    vandal.write(
        "payments",
        "UPDATE payments_payment SET status = 'CREATED', captured = 0, provider_ref = ''",
    )
    vandal.write("payments", "UPDATE payments_paymentoperation SET status = 'PENDING',"
                 " settled_at = NULL")  # fmt: skip
    assert told() == [("captured-there-not-here", paid, TOTAL, Mend.ASK.value)]
    verbs.ask(paid, mandate=NOBODY)
    assert (payment_of(paid).provider_ref, payment_of(paid).captured) == (ref, TOTAL)
    assert told() == []
    assert len(provider.captures(ref)) == 1


def test_a_charge_without_metadata_is_known_by_the_id_that_we_noted(
    paid: UUID, provider: FakeProvider, vandal: Vandal
) -> None:
    """Guard: ``_payments_of`` looks by our note first (without it, our own charge is nobody's)."""
    ref = charge(provider, "another system's")
    vandal.write("payments", "UPDATE payments_payment SET provider_ref = %s", ref)
    assert [rule for rule, *_ in told()] == ["charged-twice"]
    (finding,) = runs.differences()
    assert finding.subject != ref


# Windows ----------------------------------------------------------------------------------


def test_a_charge_belongs_to_the_window_in_which_it_was_made(
    paid: UUID, provider: FakeProvider, no_skew: None
) -> None:
    charge(provider, uuid4())
    before = reconciled(between(timedelta(hours=-2), timedelta(minutes=-2)))
    assert (before.charges, before.payments, before.violations) == (0, 0, 0)
    there = reconciled(between(timedelta(minutes=-2), timedelta(seconds=2)))
    assert (there.charges, there.payments, there.violations) == (2, 1, 1)


def test_a_payment_at_the_very_border_is_in_one_of_two_windows(
    paid: UUID, provider: FakeProvider, no_skew: None
) -> None:
    made, minute = payment_of(paid).created_at, timedelta(minutes=1)
    first = reconciled(Window(since=made - minute, until=made))
    second = reconciled(Window(since=made, until=made + minute))
    assert (first.payments, second.payments) == (0, 1)


def test_what_differed_before_is_asked_about_again_whatever_the_window(
    paid: UUID, provider: FakeProvider, no_skew: None
) -> None:
    charge(provider, uuid4())
    twice = charge(provider, payment_of(paid).pk)
    assert reconciled().violations == 2
    long_ago = between(timedelta(days=-9), timedelta(days=-8))
    assert (reconciled(long_ago).charges, runs.differences().count()) == (0, 2)
    provider.post("/v1/refunds", {"payment_intent": twice}).raise_for_status()
    assert reconciled(long_ago).violations == 1


def test_findings_of_other_sources_are_left_alone(paid: UUID, vandal: Vandal) -> None:
    vandal.write("notifications", "DELETE FROM notifications_message")
    audit()
    assert reconciled().violations == 0
    assert [each.invariant for each in findings.open_findings()] == ["confirmation-sent"]
    assert command()[0] == 0


def test_pages_and_spans_miss_nothing(
    guest: Shopper, provider: FakeProvider, smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of two charges from the provider, spans of one payment here: memory holds no more."""
    monkeypatch.setattr(ledger, "PAGE", 2)
    monkeypatch.setattr(reconciling, "_PAGE", 1)
    monkeypatch.setattr(reconciling, "_SPAN", timedelta(milliseconds=1))
    monkeypatch.setattr(reconciling, "SKEW", timedelta(seconds=2))
    for _ in range(5):
        drive(id_of(guest.place()))
    strange = {charge(provider, uuid4()) for _ in range(3)}
    run = reconciled()
    assert run.payments == 5
    assert {each.subject for each in runs.differences()} == strange


NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("2026-03-01", "", (NOON - timedelta(hours=36), NOON)),
        (
            "2026-03-01T10:00",
            "2026-03-01T11:30",
            (NOON - timedelta(hours=26), NOON - timedelta(hours=24.5)),
        ),
        ("2026-03-01T10:00+02:00", "", (NOON - timedelta(hours=28), NOON)),
        ("", "2026-03-02T11:00Z", (NOON - timedelta(hours=49), NOON - timedelta(hours=1))),
    ],
)
def test_a_window_is_read_as_it_is_written(
    since: str, until: str, expected: tuple[datetime, datetime]
) -> None:
    window = window_of(since, until, now=NOON)
    assert (window.since, window.until, window.in_a_row) == (*expected, False)


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        ("yesterday", "", "--since is no time: 'yesterday'; write ISO 8601, such as"),
        ("", "2026-02-30", "--until is no time: '2026-02-30'; write ISO 8601, such as"),
        ("0001-01-01", "", "00:00 UTC) is before 2010-01-01 00:00 UTC: give a later --since"),
        ("2026-03-02", "2026-03-01", "--since (2026-03-02 00:00 UTC) is not before --until"),
        ("2026-03-01", "2026-03-01", "give an earlier --since, or a later --until"),
        ("", "2026-03-03", "--until is in the future (2026-03-03 00:00 UTC): leave it out"),
        ("2026-03-05", "", "--since (2026-03-05 00:00 UTC) is not before --until"),
    ],
)
def test_what_is_no_window_is_refused_by_its_option_with_the_mend(
    since: str, until: str, words: str
) -> None:
    with pytest.raises(BadWindow) as no:
        window_of(since, until, now=NOON)
    assert words in str(no.value)


def test_a_window_may_be_too_long_for_a_page() -> None:
    assert window_of("2020-01-01", "", now=NOON).since.year == 2020
    with pytest.raises(BadWindow, match="more than 31 days before --until"):
        window_of("2020-01-01", "", now=NOON, most=windows.MOST)


def test_the_command_refuses_a_window_and_looks_at_nothing(paid: UUID) -> None:
    with pytest.raises(CommandError, match="--since is no time") as no:
        command("--since", "now")
    assert no.value.returncode == 2
    assert not AuditRun.objects.using("default").exists()


# The command and the task -----------------------------------------------------------------


def test_the_json_form_is_a_contract(paid: UUID, provider: FakeProvider) -> None:
    ref = charge(provider, uuid4())
    status, said = report("--since", "2026-01-01T00:00+01:00")
    assert isinstance(said.pop("seconds"), float)
    window = said.pop("window")
    assert window["since"] == "2025-12-31T23:00:00+00:00"
    assert window["until"] == window["reached"]
    assert status == 1
    assert said == {
        "ok": False,
        "looked_at": {"charges": 2, "payments": 1},
        "not_looked_at": [],
        "findings": [
            {
                "saga_id": None,
                "invariant": "charge-without-payment",
                "severity": "violation",
                "what": f"the provider holds the charge {ref}, and there is no payment of ours: "
                "refund it in the provider's dashboard",
                "amount": TOTAL,
                "currency": "EUR",
                "mend": "by hand",
                "url": f"/admin/payments/payment/?q={ref}",
            }
        ],
    }


def test_people_get_each_difference_with_what_mends_it(paid: UUID, provider: FakeProvider) -> None:
    body = {"payment_intent": payment_of(paid).provider_ref, "amount": 100}
    provider.post("/v1/refunds", body).raise_for_status()
    status, text = command()
    assert status == 1
    assert "1.00 EUR" in text
    assert f"/admin/sagas/saga/{paid}/do/ask/" in text
    assert "1 difference is open" in text


def test_a_provider_that_is_away_is_not_called_fine(
    paid: UUID, provider: FakeProvider, settings: Settings
) -> None:
    charge(provider, uuid4())
    assert len(told()) == 1
    settings.FAKE_PROVIDER_URL = NOWHERE
    run = reconciled()
    assert (run.not_looked_at, run.charges, run.reached) == (["provider"], 0, run.since)
    # Nobody has seen it gone.
    status, text = command()
    assert status == 1
    assert "NOT LOOKED AT: provider, charges from " in text
    Finding.objects.using("default").update(closed_at=Now())
    status, said = report()
    assert (status, said["ok"], said["not_looked_at"]) == (2, False, ["provider"])


def test_the_next_window_begins_where_the_last_one_came_to(
    paid: UUID, provider: FakeProvider, settings: Settings
) -> None:
    """Guard: ``IN_A_ROW`` (without it, what was charged while the provider was away is never read).

    A window that somebody named on the way changes nothing.
    """
    settings.FAKE_PROVIDER_URL = NOWHERE
    now = clock("default")
    came_to = now - timedelta(days=4)
    runs.run(Scope.LEDGER, window=Window(since=came_to, until=now, in_a_row=True))
    reconciled(between(timedelta(hours=-1), timedelta(0)))
    assert windows.due(now).since == came_to
    settings.FAKE_PROVIDER_URL = provider.url
    run = reconciled()
    assert (run.since, run.reached, run.not_looked_at) == (came_to, run.until, [])
    assert windows.due(now).since == now - windows.USUAL
    # However long it was away, a window has an end.
    AuditRun.objects.using("default").update(watermarks={"ledger": "2020-01-01T00:00:00+00:00"})
    assert windows.due(now).since == now - windows.MOST


def test_what_was_read_before_the_provider_went_away_is_not_read_again(
    guest: Shopper, provider: FakeProvider, smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "_PAGE", 1)
    monkeypatch.setattr(reconciling, "_SPAN", timedelta(milliseconds=1))
    for _ in range(3):
        drive(id_of(guest.place()))
    opened, entries = 0, FakeGateway.entries

    def goes_away(self: FakeGateway, **window: Any) -> Any:
        nonlocal opened
        opened += 1
        if opened > 1:
            raise InDoubt("api_error")
        return entries(self, **window)

    monkeypatch.setattr(FakeGateway, "entries", goes_away)
    run = reconciled()
    assert run.not_looked_at == ["provider"]
    assert run.since is not None
    assert run.until is not None
    assert run.reached is not None
    assert run.since < run.reached < run.until


def test_a_charge_that_could_not_be_asked_about_holds_the_mark_back(
    paid: UUID, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guard: ``reached`` waits for the answer (without it, the difference is never looked at)."""
    charge(provider, payment_of(paid).pk)

    def no_answer(self: FakeGateway, *, ref: str) -> Entry | None:
        raise InDoubt("api_error")

    monkeypatch.setattr(FakeGateway, "entry", no_answer)
    run = reconciled()
    assert (run.charges, run.reached, run.not_looked_at) == (2, run.since, ["provider"])


def test_a_run_without_time_says_so_and_closes_nothing(paid: UUID, provider: FakeProvider) -> None:
    ref = charge(provider, uuid4())
    assert reconciled().violations == 1
    provider.post("/v1/refunds", {"payment_intent": ref}).raise_for_status()
    run = runs.run(Scope.LEDGER, window=windows.due(clock("default")), seconds=0)
    assert (run.not_looked_at, run.violations) == ([runs.THE_REST], 1)
    assert run.reached == run.since


def test_it_counts_for_no_audit(paid: UUID) -> None:
    """The audit goes on from its own marks, and the dashboard does not call the shop clean."""
    audit()
    marks = runs.last_run()
    reconciled()
    assert runs.last_run() == marks
    assert audit(Scope.CHANGED).sagas == 1


def test_the_task_runs_one_at_a_time_beside_the_audit(paid: UUID) -> None:
    """Guard: ``is_running`` (without it, a run that is asked for twice runs twice)."""
    rows = AuditRun.objects.using("default")
    rows.create(scope=Scope.CHANGED)
    tasks.reconcile(unknown_argument=1)
    assert rows.filter(scope=Scope.LEDGER, finished_at__isnull=False).count() == 1
    rows.create(scope=Scope.LEDGER)
    tasks.reconcile()
    assert rows.filter(scope=Scope.LEDGER).count() == 2
    rows.filter(finished_at=None).update(started_at=Now() - timedelta(hours=1))
    tasks.reconcile(since="2026-01-01", until="2026-01-02")
    run = rows.filter(scope=Scope.LEDGER).latest("id")
    assert (run.since, run.watermarks) == (datetime(2026, 1, 1, tzinfo=UTC), {})


def test_the_schedule_asks_for_it_every_day_on_the_audits_queue() -> None:
    migration = import_module("sagas.migrations.0013_reconciliation")
    with connections["default"].schema_editor() as editor:
        migration.add_job(apps, editor)
    job = PeriodicTask.objects.using("default").get(task=tasks.reconcile.name)
    assert (job.queue, job.interval.every) == (tasks.QUEUE, 24 * 3600)
