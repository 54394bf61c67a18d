"""Reconciliation on the audit's page: its last runs, what was left out, and a form for a window."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import current_app
from django.core.cache import cache
from django.db.models.functions import Now
from django.urls import reverse

from sagas.audit import findings
from sagas.audit.tasks import QUEUE
from sagas.auditor import Fault
from sagas.console.tests.conftest import staff
from sagas.console.tests.rows import viewer
from sagas.console.tests.test_audit_page import waiting
from sagas.console.tests.test_dashboard import part, words_of
from sagas.models import AuditRun

pytestmark = pytest.mark.django_db(databases="__all__")

PAGE = reverse("admin:sagas_saga_audit")
SINCE = datetime(2026, 3, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=2)


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """No answer of the workers is left over from another test."""
    cache.clear()
    yield
    cache.clear()


def ran(**changes: object) -> None:
    facts: dict[str, Any] = {"since": SINCE, "until": UNTIL, "reached": UNTIL, **changes}
    AuditRun.objects.using("default").create(
        scope="ledger", finished_at=Now(), charges=1_234, payments=1_230, **facts
    )


def message() -> Mapping[str, Any]:
    """Return what the audit's worker is asked for, as arguments; it is taken away."""
    with current_app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        taken = channel.basic_get(QUEUE, no_ack=True)
        assert taken.headers["task"] == "sagas.reconcile"
        _, arguments, _ = taken.decode()
        return dict(arguments)


def test_before_the_first_run_it_says_so() -> None:
    words = words_of(viewer().get(PAGE).text)
    assert "Not reconciled yet. It runs every day, or when you ask for it." in words


def test_it_says_what_was_read_and_that_both_agree() -> None:
    ran()
    words = words_of(viewer().get(PAGE).text)
    assert "They agree. Last looked at" in words
    assert "1,234 charges read, 1,230 payments compared." in words
    assert "1 Mar 2026" in words or "2026-03-01" in words


def test_what_was_left_out_is_named_and_never_called_fine() -> None:
    ran(not_looked_at=["provider"], reached=SINCE + timedelta(hours=5))
    words = words_of(viewer().get(PAGE).text)
    assert "Incomplete. Last looked at" in words
    assert "Not looked at: provider, charges from" in words
    assert "They agree" not in words


def test_open_differences_are_counted_and_others_are_not() -> None:
    ran(violations=1)
    for sources in (("provider", "payments"), ("orders",)):
        findings.keep(
            [Fault(saga_id=None, invariant="rule", what="wrong", sources=sources, subject="x")]
            if sources[0] == "provider"
            else [Fault(saga_id=None, invariant="another", what="wrong", sources=sources)]
        )
    page = viewer().get(PAGE)
    assert page.context["reconciliation"].differences == 1
    assert "1 difference open." in words_of(page.text)


def test_the_audit_and_its_tile_do_not_count_a_reconciliation_as_a_run() -> None:
    ran()
    client = viewer()
    words = words_of(client.get(PAGE).text)
    assert "Never ran. It runs every hour" in words
    assert "It has not run yet." in words
    assert "Audit never ran" in words_of(part(client))


def test_a_run_that_has_not_ended_says_so() -> None:
    AuditRun.objects.using("default").create(scope="ledger", since=SINCE, until=UNTIL)
    words = words_of(viewer().get(PAGE).text)
    assert "not ended" in words
    assert "Not reconciled yet." in words


def test_support_has_a_window_reconciled_and_a_viewer_may_not() -> None:
    look = viewer()
    assert "Reconcile a window" not in look.get(PAGE).text
    assert look.post(PAGE, {"do": "reconcile"}).status_code == 403
    support = staff("sven", "support")
    page = support.get(PAGE).text
    assert "Reconcile a window" in page
    # Not the button's own: a form that is sent once disables its buttons before it is read.
    assert '<input type="hidden" name="do" value="reconcile">' in page
    waiting()
    asked = {"do": "reconcile", "since": "2026-03-01T08:00", "until": "2026-03-02T08:00"}
    assert "Asked for." in support.post(PAGE, asked, follow=True).text
    assert message() == {
        "since": "2026-03-01T08:00:00+00:00",
        "until": "2026-03-02T08:00:00+00:00",
    }
    support.post(PAGE, {"do": "reconcile", "since": "", "until": ""})
    # What is due is worked out by the worker.
    assert message() == {}


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        ("2026-03-02T08:00", "2026-03-01T08:00", "Not done: From (2026-03-02 08:00 UTC) is not"),
        ("2020-03-02T08:00", "", "more than 31 days before To"),
        ("", "2999-01-01T00:00", "Not done: To is in the future"),
        ("<b>", "", "Not done: From is no time"),
    ],
)
def test_what_is_no_window_is_refused_in_place_and_asked_for_by_nobody(
    since: str, until: str, words: str
) -> None:
    viewer()
    support = staff("sven", "support")
    waiting()
    page = support.post(PAGE, {"do": "reconcile", "since": since, "until": until})
    assert page.status_code == 400
    assert words in words_of(page.text)
    assert "<b>" not in page.text
    assert waiting() == 0


def test_it_is_not_asked_for_twice_while_it_runs() -> None:
    viewer()
    support = staff("sven", "support")
    AuditRun.objects.using("default").create(scope="ledger", since=SINCE, until=UNTIL)
    waiting()
    assert "under way" in support.post(PAGE, {"do": "reconcile"}, follow=True).text
    assert waiting() == 0
    assert "Asked for" in support.post(PAGE, follow=True).text, "an audit is another thing"
    waiting()
