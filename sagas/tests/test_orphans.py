"""A step whose worker died is taken over when its session ends, not when its lease does."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from django.db import connections

from sagas import journal
from sagas.models import DATABASE, Outcome, Saga
from sagas.recovery import recover
from sagas.tests.conftest import drive, start_toy
from sagas.tests.toy import Theatre
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(databases=[DATABASE], transaction=True)


@contextmanager
def _another_worker() -> Iterator[int]:
    """Hold a session like that of another worker; yield its process id."""
    with closing(connections[DATABASE].copy()) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        yield cursor.fetchone()[0]


def _claimed_by(session: int | None, *, seconds_ago: int = 0) -> Saga:
    """Return a saga whose step was claimed by a session, so long ago."""
    saga = start_toy()
    journal.claim(journal.read(saga.pk), time_limit=60)
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(
            "UPDATE sagas_saga SET claimed_by = %s, revision = revision + 1,"
            " claimed_at = claimed_at - make_interval(secs => %s) WHERE id = %s",
            [session, seconds_ago, saga.pk],
        )
    return saga


def _is_gone(session: int) -> bool:
    with connections[DATABASE].cursor() as cursor:
        cursor.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [session])
        return not cursor.rowcount


def test_a_step_is_taken_over_as_soon_as_its_session_is_gone(stage: Theatre) -> None:
    """Guard: the lease of an orphaned claim ends at the next tick."""
    with _another_worker() as session:
        saga = _claimed_by(session)
        assert recover().dispatched == []
    eventually(lambda: _is_gone(session))
    assert recover().dispatched == [saga.pk]
    assert saga.runs.using(DATABASE).get().outcome == Outcome.LOST
    assert drive(saga.pk).state == "COMPLETE"


def test_a_younger_session_with_the_same_process_id_is_another_one(stage: Theatre) -> None:
    """Guard: a session that began after the claim did not take it."""
    with _another_worker() as session:
        saga = _claimed_by(session, seconds_ago=3600)
        assert recover().dispatched == [saga.pk]


def test_a_claim_of_code_that_names_no_session_keeps_its_lease(stage: Theatre) -> None:
    """Guard: during a rolling release, older code claims without a session."""
    _claimed_by(None)
    assert recover().dispatched == []


def test_the_worker_that_only_lost_its_session_saves_nothing_any_more(stage: Theatre) -> None:
    with _another_worker() as session:
        saga = _claimed_by(session)
    eventually(lambda: _is_gone(session))
    as_it_saw = journal.read(saga.pk)
    recover()
    with pytest.raises(journal.Superseded):
        journal.save(as_it_saw, seen_state=as_it_saw.state)


def test_a_save_forgets_the_session(stage: Theatre) -> None:
    saga = start_toy()
    journal.claim(journal.read(saga.pk), time_limit=60)
    claimed = journal.read(saga.pk)
    assert claimed.claimed_by is not None
    journal.save(claimed, seen_state=claimed.state, lease=15)
    saved = journal.read(saga.pk)
    assert (saved.claimed_at, saved.claimed_by) == (None, None)
