"""What the database refuses, whatever the code does."""

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connections, transaction
from django.db.models.functions import Now

from sagas import switches, verbs
from sagas.mandates import Mandate
from sagas.models import (
    COMPENSATED,
    ActionOutcome,
    Approval,
    BulkItem,
    BulkRun,
    Finding,
    Saga,
)
from sagas.tests.conftest import drive, start_toy
from sagas.tests.toy import Refused, Theatre

pytestmark = pytest.mark.django_db(databases=["default"], transaction=True)


def _refused(sql: str, message: str) -> None:
    with pytest.raises(IntegrityError, match=message), transaction.atomic(using="default"):
        connections["default"].cursor().execute(sql)


def test_an_epoch_never_falls(stage: Theatre) -> None:
    start_toy()
    _refused("UPDATE sagas_saga SET epoch = epoch - 1, revision = revision + 1", "never falls")


def test_an_epoch_below_one_is_refused(stage: Theatre) -> None:
    with pytest.raises(IntegrityError, match="sagas_epoch_positive"):
        Saga.objects.using("default").create(
            kind="toy",
            version=1,
            principal="user:1",
            idempotency_key="key",
            epoch=0,
            lease_until=Now(),
            deadline_at=Now(),
        )


def test_a_write_that_forgets_the_revision_is_refused(stage: Theatre) -> None:
    start_toy()
    _refused("UPDATE sagas_saga SET reason = 'because'", "always rises")


def test_what_is_compensated_stays_compensated(stage: Theatre) -> None:
    stage.script["pack_bag"] = [Refused("no bag")]
    assert drive(start_toy().pk).state == COMPENSATED
    _refused(
        "UPDATE sagas_saga SET state = 'COMPLETE', revision = revision + 1", "COMPENSATED is final"
    )


def test_an_unfinished_saga_without_a_time_to_look_at_it_is_refused(stage: Theatre) -> None:
    start_toy()
    _refused(
        "UPDATE sagas_saga SET lease_until = NULL, revision = revision + 1",
        "sagas_unfinished_is_due_some_time",
    )


def test_a_finished_saga_without_its_time_is_refused(stage: Theatre) -> None:
    start_toy()
    _refused(
        "UPDATE sagas_saga SET state = 'COMPLETE', revision = revision + 1",
        "sagas_finished_means_finished",
    )


@pytest.mark.parametrize("change", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_history_cannot_be_changed_or_deleted(stage: Theatre, change: str) -> None:
    drive(start_toy().pk)
    _refused(change.format("sagas_steprun"), "append-only")


@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_what_people_did_cannot_be_changed_or_deleted(stage: Theatre, change: str) -> None:
    user = User.objects.using("default").create(username="sam")
    action = verbs.note(start_toy().pk, mandate=Mandate(operator=user, reason="called the bank"))
    ActionOutcome.objects.using("default").create(action=action, state="PENDING")
    switches.close("intake:toy", operator=user, reason="the bank is down")
    for table, column in (
        ("sagas_operatoraction", "id"),
        ("sagas_actionoutcome", "action_id"),
        ("sagas_switchlog", "id"),
    ):
        _refused(change.format(table, column, column), "append-only")


def test_nobody_approves_what_they_asked_for_themselves(stage: Theatre) -> None:
    user = User.objects.using("default").create(username="sam")
    with pytest.raises(IntegrityError, match="sagas_approved_by_another"):
        Approval.objects.using("default").create(
            saga=start_toy(), verb="compensate", digest="d", reason="r",
            requested_by=user, approved_by=user,
        )  # fmt: skip


def test_a_verb_is_asked_for_once(stage: Theatre) -> None:
    user = User.objects.using("default").create(username="sam")
    asked = {"saga": start_toy(), "verb": "compensate", "digest": "d", "requested_by": user}
    Approval.objects.using("default").create(**asked)
    with pytest.raises(IntegrityError, match="sagas_one_open_approval"):
        Approval.objects.using("default").create(**asked)


def test_a_saga_is_once_in_a_bulk_run(stage: Theatre) -> None:
    user = User.objects.using("default").create(username="sam")
    run = BulkRun.objects.using("default").create(verb="retry", operator=user)
    item = {"run": run, "saga": start_toy(), "position": 0}
    BulkItem.objects.using("default").create(**item)
    with pytest.raises(IntegrityError, match="sagas_once_a_bulk_run"):
        BulkItem.objects.using("default").create(**item)


def test_a_finding_is_open_once(stage: Theatre) -> None:
    found = {"key": "money - x", "invariant": "money", "severity": "violation", "what": "gone"}
    Finding.objects.using("default").create(**found, closed_at=Now())
    Finding.objects.using("default").create(**found)
    with pytest.raises(IntegrityError, match="sagas_finding_open_once"):
        Finding.objects.using("default").create(**found)


def test_two_sagas_of_one_request_are_refused(stage: Theatre) -> None:
    saga = start_toy()
    copy = Saga(
        kind=saga.kind,
        version=1,
        principal=saga.principal,
        idempotency_key=saga.idempotency_key,
        request_fingerprint="",
        deadline_at=saga.deadline_at,
        lease_until=saga.lease_until,
    )
    with pytest.raises(IntegrityError, match="sagas_one_saga_a_request"):
        copy.save(using="default", force_insert=True)
