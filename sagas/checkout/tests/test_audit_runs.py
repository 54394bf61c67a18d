"""Runs and findings as rows: what is looked at again, what is closed, who is told."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from notifications.tests.conftest import MailServer
from payments.tests.provider import FakeProvider
from sagas.audit import findings, scopes
from sagas.audit.runs import Scope
from sagas.auditor import Fault
from sagas.checkout.tests.auditing import Vandal, audit
from sagas.checkout.tests.shopping import Shopper, id_of
from sagas.models import Finding
from sagas.participant import among
from sagas.tests.conftest import drive, let_time_pass

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


@pytest.fixture
def paid(guest: Shopper, mortal_provider: FakeProvider, smtp: MailServer) -> UUID:
    return drive(id_of(guest.place())).pk


@pytest.fixture
def no_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written before the last run began is old."""
    monkeypatch.setattr(scopes, "OVERLAP", timedelta(0))


# What is looked at ------------------------------------------------------------------------


def test_the_first_run_looks_at_everything_and_the_next_at_nothing_old(
    paid: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert audit(Scope.CHANGED).sagas == 1
    assert audit(Scope.CHANGED).sagas == 1  # within the overlap
    monkeypatch.setattr(scopes, "OVERLAP", timedelta(0))
    assert audit(Scope.CHANGED).sagas == 0
    assert audit(Scope.EVERYTHING).sagas == 1


def test_what_a_domain_wrote_late_is_found_though_the_saga_did_not_move(
    paid: UUID, vandal: Vandal, no_overlap: None
) -> None:
    """A frozen worker came back: the domain has changed, the saga's row has not."""
    audit()
    vandal.write("orders", "UPDATE orders_order SET status = 'CANCELLED', cancelled_at = now()")
    run = audit(Scope.CHANGED)
    assert (run.sagas, run.violations) == (1, 1)


@pytest.mark.parametrize(
    ("database", "statement"),
    [
        ("orders", "UPDATE orders_order SET saga_id = gen_random_uuid(), created_at = now()"),
        (
            "inventory",
            "UPDATE inventory_reservation SET saga_id = gen_random_uuid(), created_at = now()",
        ),
        ("payments", "UPDATE payments_payment SET saga_id = gen_random_uuid(), updated_at = now()"),
        (
            "notifications",
            "UPDATE notifications_message SET saga_id = gen_random_uuid(), sent_at = now()",
        ),
    ],
)
def test_a_new_orphan_of_each_domain_is_found(
    paid: UUID, vandal: Vandal, no_overlap: None, database: str, statement: str
) -> None:
    audit()
    vandal.write(database, statement)
    audit(Scope.CHANGED)
    assert [each.invariant.endswith("has-a-saga") for each in findings.open_findings()] == [True]


def test_a_saga_that_hangs_is_found_though_nothing_was_written(
    guest: Shopper, mortal_provider: FakeProvider, vandal: Vandal, no_overlap: None
) -> None:
    saga_id = id_of(guest.place())
    audit()
    let_time_pass(saga_id)
    vandal.write(
        "default",
        "UPDATE sagas_saga SET lease_until = now() - interval '1 hour',"
        " updated_at = now() - interval '1 hour'",
    )
    audit(Scope.CHANGED)
    assert [each.invariant for each in findings.of_saga(saga_id)] == ["nothing-hangs"]


def test_pages_and_crowded_ranges_miss_nothing_and_hold_few_rows(
    guest: Shopper,
    mortal_provider: FakeProvider,
    smtp: MailServer,
    vandal: Vandal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pages of two sagas; a range with more rows than a page may bring is halved."""
    monkeypatch.setattr("sagas.audit.claims.PAGE", 2)
    monkeypatch.setattr("sagas.audit.looking.PAGE", 2)
    monkeypatch.setattr(among, "_MOST_ROWS", 3)
    ids = [id_of(guest.place()) for _ in range(7)]
    assert audit().sagas == 7
    vandal.write("default", "DELETE FROM sagas_saga WHERE id <> %s", ids[3])
    for saga_id in ids[:3]:
        vandal.write(
            "orders",
            "INSERT INTO orders_receipt (id, saga_id, step, result, undone_at, undo_result)"
            " VALUES (gen_random_uuid(), %s, 'x', '{}', now(), '{}')",
            saga_id,
        )
    run = audit()
    assert (run.sagas, run.violations) == (1, 3)


def test_memory_holds_the_faults_of_one_page_only(
    guest: Shopper,
    mortal_provider: FakeProvider,
    vandal: Vandal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sagas.audit.claims.PAGE", 2)
    for _ in range(6):
        drive(id_of(guest.place()), until="ORDER_CREATED")
    vandal.write("orders", "DELETE FROM orders_order")
    kept: list[int] = []
    keep = findings.keep

    def counted(faults: Sequence[Fault]) -> list[Finding]:
        kept.append(len(faults))
        return keep(faults)

    monkeypatch.setattr(findings, "keep", counted)
    assert audit().violations == 6
    assert max(kept) == 2


# Findings as rows -------------------------------------------------------------------------


def test_a_finding_that_stays_is_one_row_and_is_closed_when_it_is_gone(
    paid: UUID, vandal: Vandal, no_overlap: None
) -> None:
    vandal.write("notifications", "UPDATE notifications_message SET status = 'PENDING',"
                 " sent_at = NULL")  # fmt: skip
    audit()
    audit(Scope.CHANGED)
    (finding,) = Finding.objects.using("default").all()
    assert finding.closed_at is None
    assert finding.last_seen_at > finding.first_seen_at
    vandal.write("notifications", "UPDATE notifications_message SET status = 'SENT',"
                 " sent_at = created_at")  # fmt: skip
    run = audit(Scope.CHANGED)
    assert (run.sagas, run.violations) == (1, 0)
    (finding,) = Finding.objects.using("default").all()
    assert finding.closed_at is not None


def test_one_that_comes_back_is_a_new_row(paid: UUID, vandal: Vandal) -> None:
    for status, sent in (("PENDING", "NULL"), ("SENT", "now()"), ("PENDING", "NULL")):
        vandal.write("notifications", f"UPDATE notifications_message SET status = '{status}',"
                     f" sent_at = {sent}")  # fmt: skip
        audit()
    closed = [
        each.closed_at is not None for each in Finding.objects.using("default").order_by("pk")
    ]
    assert closed == [True, False]


def test_new_violations_are_told_once_with_ids_and_amounts_only(
    paid: UUID, vandal: Vandal, caplog: pytest.LogCaptureFixture
) -> None:
    vandal.write("notifications", "DELETE FROM notifications_message")
    with caplog.at_level(logging.CRITICAL, logger="sagas.alerts"):
        audit()
        audit()
    (alert,) = [record for record in caplog.records if record.name == "sagas.alerts"]
    said: Any = alert.msg
    assert (said["event"], said["count"]) == ("audit_found_violations", 1)
    assert said["findings"] == [
        {
            "saga_id": str(paid), "invariant": "confirmation-sent", "subject": "", "amount": 2500,
            "currency": "EUR",
        }
    ]  # fmt: skip


# Sources that are away --------------------------------------------------------------------


def test_a_domain_that_does_not_answer_is_named_and_its_findings_stay_open(
    paid: UUID, vandal: Vandal
) -> None:
    vandal.write("orders", "UPDATE orders_order SET status = 'PENDING', confirmed_at = NULL")
    vandal.write("notifications", "DELETE FROM notifications_message")
    audit()
    vandal.hide("orders", "orders_order")
    run = audit()
    assert run.not_looked_at == ["orders"]
    known = {each.invariant for each in findings.open_findings()}
    assert known == {"order-confirmed", "confirmation-sent"}


def test_the_time_of_a_domain_that_does_not_answer_stands_still(paid: UUID, vandal: Vandal) -> None:
    first, second = audit(), audit(Scope.CHANGED)
    assert second.watermarks["orders"] > first.watermarks["orders"]
    vandal.hide("orders", "orders_order")
    third = audit(Scope.CHANGED)
    assert third.watermarks["orders"] == second.watermarks["orders"]
    assert third.watermarks["payments"] > second.watermarks["payments"]
