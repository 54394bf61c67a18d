"""A migration runs while workers do: what their connections have planned still holds."""

from collections.abc import Iterator

import pytest
from django.db import connections

from sagas import journal
from sagas.models import DATABASE
from sagas.tests.conftest import start_toy
from sagas.tests.toy import Theatre

pytestmark = pytest.mark.django_db(databases=[DATABASE], transaction=True)


@pytest.fixture
def migrating() -> Iterator[None]:
    """Undo what the test's migration does."""
    yield
    _migrate("DROP COLUMN IF EXISTS of_tomorrow")


def _migrate(change: str) -> None:
    """Change the table from a connection of its own."""
    other = connections[DATABASE].copy()
    try:
        with other.cursor() as cursor:
            cursor.execute(f"ALTER TABLE sagas_saga {change}")
    finally:
        other.close()


@pytest.mark.usefixtures("migrating")
def test_a_new_column_does_not_disturb_what_is_planned(stage: Theatre) -> None:
    """Guard: the columns have names ("cached plan must not change result type", before)."""
    saga = start_toy()
    often = connections[DATABASE].connection.prepare_threshold
    assert often, "nothing is planned once: the test proves nothing"
    for _ in range(often + 2):
        journal.read(saga.pk)
    _migrate("ADD COLUMN of_tomorrow integer")
    assert journal.read(saga.pk).pk == saga.pk
