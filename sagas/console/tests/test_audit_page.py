"""The audit's page: what is open by the money at stake, the last runs, and "Audit now"."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery import current_app
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache
from django.db import connections
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from sagas.audit import findings
from sagas.audit.tasks import QUEUE
from sagas.auditor import Fault, Mend, Severity
from sagas.console.tests.conftest import staff
from sagas.console.tests.rows import a_saga, viewer
from sagas.console.tests.test_dashboard import part, words_of
from sagas.models import AuditRun

pytestmark = pytest.mark.django_db(databases="__all__")

PAGE = reverse("admin:sagas_saga_audit")


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """No answer of the workers is left over from another test."""
    cache.clear()
    yield
    cache.clear()


def found(count: int = 1, *, severity: Severity = Severity.VIOLATION, amount: int = 100) -> None:
    findings.keep(
        [
            Fault(
                saga_id=uuid4(),
                invariant="order-confirmed",
                what="COMPLETE, but its order is PENDING",
                sources=("orders",),
                amount=amount + n,
                currency="EUR",
                severity=severity,
                mend=Mend.COMPENSATE,
            )
            for n in range(count)
        ]
    )


def ran(**changes: object) -> None:
    AuditRun.objects.using("default").create(
        scope="changed", finished_at=Now(), sagas=1_234_567, charges=88, seconds=41.5, **changes
    )


def test_an_audit_that_never_ran_says_so() -> None:
    words = words_of(viewer().get(PAGE).text)
    assert "Never ran. It runs every hour, or when you ask for it." in words
    assert "Nothing is wrong that the audit can see." in words


def test_open_findings_come_violations_first_then_by_the_money_at_stake() -> None:
    found(amount=500, severity=Severity.WAITS)
    found(amount=200)
    found(amount=300)
    ran(not_looked_at=["provider"])
    page = viewer().get(PAGE)
    assert [each.amount for each, _ in page.context["found"]] == [300, 200, 500]
    words = words_of(page.text)
    assert "2 violations. Last looked at" in words
    assert "1,234,567 sagas, 88 charges. Not looked at: provider." in words
    assert "3.00 EUR" in words


def test_each_finding_leads_to_its_saga_and_to_the_dry_run_of_its_mend() -> None:
    found()
    finding = findings.open_findings().get()
    page = viewer().get(PAGE).text
    assert isinstance(finding.saga_id, UUID)
    assert f'href="{reverse("admin:sagas_saga_change", args=[finding.saga_id])}"' in page
    mend = reverse("admin:sagas_saga_verb", args=[finding.saga_id, "compensate"])
    assert f'href="{mend}">Compensate</a>' in page


def test_a_finding_that_is_gone_is_not_shown() -> None:
    found()
    findings.open_findings().update(closed_at=Now())
    assert viewer().get(PAGE).context["found"] == []


def test_the_number_of_queries_does_not_grow_with_what_was_found() -> None:
    client = viewer()
    client.get(PAGE)
    counts = []
    for n in (1, 60):
        found(n)
        ran()
        with ExitStack() as stack:
            captured = [
                stack.enter_context(CaptureQueriesContext(each)) for each in connections.all()
            ]
            client.get(PAGE)
        counts.append(sum(map(len, captured)))
    assert counts[0] == counts[1]


def waiting() -> int:
    """Return how many messages wait for the audit's worker; they are taken away."""
    with current_app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        return int(channel.queue_purge(QUEUE) or 0)


def test_support_has_it_run_and_a_viewer_may_not() -> None:
    look = viewer()
    assert "Audit now" not in look.get(PAGE).text
    assert look.post(PAGE).status_code == 403
    support = staff("sven", "support")
    assert "Audit now" in support.get(PAGE).text
    waiting()
    assert "Asked for" in support.post(PAGE, follow=True).text
    assert waiting() == 1


def test_it_is_not_asked_for_twice_while_it_runs() -> None:
    viewer()
    support = staff("sven", "support")
    AuditRun.objects.using("default").create(scope="changed")
    waiting()
    assert "under way" in support.post(PAGE, follow=True).text
    assert waiting() == 0


def test_those_who_may_not_see_findings_see_nothing() -> None:
    viewer()
    nora = staff("nora", "viewer")
    Group.objects.get(name="viewer").permissions.remove(
        Permission.objects.get(codename="view_finding")
    )
    assert nora.get(PAGE).status_code == 403
    assert "Audit" not in words_of(part(nora))
    assert Client().get(PAGE).status_code == 302


def test_the_dashboard_says_how_the_audit_stands() -> None:
    client = viewer()
    assert "Audit never ran" in words_of(part(client))
    ran()
    assert "Audit clean looked" in words_of(part(client))
    ran(not_looked_at=["provider"])
    assert "Audit incomplete looked" in words_of(part(client))
    found()
    words = words_of(part(client))
    assert words.startswith("Look: The audit found 1 violation.")
    assert "Audit 1 violation looked" in words


def test_the_page_has_no_inline_script_or_style() -> None:
    a_saga()
    found()
    ran()
    main = viewer().get(PAGE).text.partition('<div class="mg">')[2]
    assert "style=" not in main
    assert "onclick" not in main
