"""``manage.py audit`` and the task: exit statuses, the JSON contract, one run at a time."""

import json
from datetime import timedelta
from importlib import import_module
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.conf import settings as settings_module
from django.core.management import call_command
from django.db import connections
from django.db.models.functions import Now
from django_celery_beat.models import PeriodicTask
from pytest_django import Settings

from notifications.tests.conftest import MailServer
from payments.tests.provider import FakeProvider
from sagas.audit import runs, tasks
from sagas.audit.runs import Scope
from sagas.checkout.tests.auditing import Vandal
from sagas.checkout.tests.shopping import Shopper, id_of
from sagas.models import AuditRun, Heartbeat
from sagas.tests.conftest import drive

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


@pytest.fixture
def paid(guest: Shopper, mortal_provider: FakeProvider, smtp: MailServer) -> UUID:
    return drive(id_of(guest.place())).pk


def command(*words: str) -> tuple[int, str]:
    """Return exit status and output of ``manage.py audit``."""
    out = StringIO()
    try:
        call_command("audit", *words, stdout=out, stderr=StringIO())
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def report(*words: str) -> tuple[int, dict[str, Any]]:
    status, text = command("--json", *words)
    return status, json.loads(text)


def test_a_clean_system_ends_with_0_and_says_what_was_looked_at(paid: UUID) -> None:
    status, text = command("--all")
    assert status == 0
    assert "1 sagas and 1 charges looked at" in text
    assert "0 violations, 0 wait for a person" in text


def test_the_json_form_is_a_contract(paid: UUID, vandal: Vandal) -> None:
    assert report()[0] == 0
    vandal.write("orders", "UPDATE orders_order SET status = 'PENDING', confirmed_at = NULL")
    status, said = report("--all")
    seconds = said.pop("seconds")
    assert isinstance(seconds, float)
    assert status == 1
    assert said == {
        "ok": False,
        "looked_at": {"sagas": 1, "charges": 1},
        "not_looked_at": [],
        "findings": [
            {
                "saga_id": str(paid),
                "invariant": "order-confirmed",
                "severity": "violation",
                "what": "COMPLETE, but its order is PENDING",
                "amount": 2500,
                "currency": "EUR",
                "mend": "compensate",
                "url": f"/admin/sagas/saga/{paid}/do/compensate/",
            }
        ],
    }


def test_what_waits_for_a_person_is_listed_and_is_no_violation(
    guest: Shopper, mortal_provider: FakeProvider, smtp: MailServer
) -> None:
    smtp.rcpt_replies = ["550 no such user"]
    saga_id = id_of(guest.place())
    drive(saga_id)
    status, said = report("--all")
    assert (status, said["ok"]) == (0, True)
    assert [each["severity"] for each in said["findings"]] == ["waits"]


def test_a_source_that_is_away_ends_with_2_unless_something_is_wrong(
    paid: UUID, vandal: Vandal, settings: Settings
) -> None:
    settings.FAKE_PROVIDER_URL = "http://127.0.0.1:9"
    status, said = report("--all")
    assert (status, said["ok"], said["not_looked_at"]) == (2, False, ["provider"])
    assert "NOT LOOKED AT: provider" in command()[1]
    vandal.write("notifications", "DELETE FROM notifications_message")
    assert command("--all")[0] == 1


def test_without_the_control_plane_nothing_is_called_fine(paid: UUID, vandal: Vandal) -> None:
    vandal.hide("default", "sagas_auditrun")
    status, said = report("--all")
    assert (status, said["ok"], said["not_looked_at"]) == (2, False, ["sagas"])


def test_people_get_a_table_with_what_mends_it(paid: UUID, vandal: Vandal) -> None:
    vandal.write("orders", "UPDATE orders_order SET status = 'PENDING', confirmed_at = NULL")
    _, text = command("--all")
    head, line, *_ = text.splitlines()
    assert head.split()[:2] == ["severity", "saga"]
    assert "25.00 EUR" in line
    assert f"/admin/sagas/saga/{paid}/do/compensate/" in line


# The task ---------------------------------------------------------------------------------


def test_the_task_runs_one_audit_at_a_time(paid: UUID) -> None:
    """Guard: ``is_running`` (without it, a run that is asked for twice runs twice)."""
    tasks.audit(everything=True)
    assert Heartbeat.objects.using("default").filter(name="audit").exists()
    AuditRun.objects.using("default").create(scope=Scope.CHANGED)
    tasks.audit()
    assert AuditRun.objects.using("default").count() == 2
    # A run whose worker died is not waited for for ever.
    AuditRun.objects.using("default").update(started_at=Now() - timedelta(hours=1))
    tasks.audit(unknown_argument=1)
    assert AuditRun.objects.using("default").count() == 3


def test_a_run_without_time_says_so_and_moves_no_watermark(paid: UUID, vandal: Vandal) -> None:
    vandal.write("notifications", "DELETE FROM notifications_message")
    run = runs.run(Scope.EVERYTHING, seconds=0)
    assert run.not_looked_at == [runs.THE_REST]
    assert run.watermarks == {}
    assert run.violations == 1  # what it came to is written down


def test_the_schedule_asks_for_both_runs_on_a_queue_of_their_own() -> None:
    migration = import_module("sagas.migrations.0007_audit")
    with connections["default"].schema_editor() as editor:
        migration.add_jobs(apps, editor)
    jobs = PeriodicTask.objects.using("default").filter(task=tasks.audit.name)
    assert {(job.kwargs, job.queue, job.interval.every) for job in jobs} == {
        ("{}", tasks.QUEUE, 3600),
        ('{"everything": true}', tasks.QUEUE, 24 * 3600),
    }
    assert tasks.QUEUE in settings_module.CELERY_QUEUES


def test_one_saga_alone_is_looked_at(paid: UUID, vandal: Vandal) -> None:
    vandal.write("notifications", "DELETE FROM notifications_message")
    status, said = report("--saga", str(paid))
    assert (status, said["looked_at"]) == (1, {"sagas": 1, "charges": 0})
    assert [each["saga_id"] for each in said["findings"]] == [str(paid)]
    # It moves no watermark: the next run of what changed still looks at everything.
    assert runs.last_run() is None
