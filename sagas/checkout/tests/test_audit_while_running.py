"""A system that is busy gives no false finding: every suspect is looked at twice.

Each test lets a checkout move between two reads of the audit, at the worst moment.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from notifications.tests.conftest import MailServer
from payments.tests.provider import FakeProvider
from sagas import verbs
from sagas.audit import claims, findings, looking
from sagas.checkout.tests.auditing import Vandal, audit, told
from sagas.checkout.tests.shopping import Shopper, id_of
from sagas.participant.among import Among
from sagas.tests.conftest import NOBODY, drive

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


@pytest.fixture
def saga_id(guest: Shopper, mortal_provider: FakeProvider, smtp: MailServer) -> UUID:
    return id_of(guest.place())


def test_a_saga_that_moves_between_the_reads_is_suspect_at_first(
    saga_id: UUID, meanwhile: Callable[..., None]
) -> None:
    """What the next test's guard is for: the first look alone would report it."""
    meanwhile(lambda: drive(saga_id))
    _, first = looking.first_look(Among(ids=(saga_id,)))
    rules = {fault.invariant for fault in first.faults}
    assert rules >= {"confirmation-early", "order-confirmed-early"}


def test_the_second_look_drops_what_had_only_moved(
    saga_id: UUID, meanwhile: Callable[..., None]
) -> None:
    """Guard: the second look."""
    meanwhile(lambda: drive(saga_id))
    assert told() == []


def test_a_saga_that_moves_during_the_second_look_too_is_left_to_the_next_run(
    saga_id: UUID, meanwhile: Callable[..., None]
) -> None:
    """Guard: the revision is compared after the second look (without it, this is reported)."""
    meanwhile(
        lambda: drive(saga_id, until="PAYMENT_CHARGED"),
        lambda: verbs.compensate(saga_id, mandate=NOBODY, past_pivot=True) and drive(saga_id),
    )
    assert told() == []


def test_without_the_revision_the_same_would_be_reported(
    saga_id: UUID, meanwhile: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race of the test before is real: with its guard off, the fault comes through."""
    still: dict[str, Any] = {}

    def as_before(ids: list[UUID]) -> dict[UUID, int]:
        return {each: still["rows"][str(each)].claim.revision for each in ids}

    read = claims.read_rows

    def remembered(among: Among) -> Any:
        still["rows"] = read(among)
        return still["rows"]

    monkeypatch.setattr(claims, "read_rows", remembered)
    monkeypatch.setattr(claims, "revisions", as_before)
    meanwhile(
        lambda: drive(saga_id, until="PAYMENT_CHARGED"),
        lambda: verbs.compensate(saga_id, mandate=NOBODY, past_pivot=True) and drive(saga_id),
    )
    audit()
    assert findings.of_saga(saga_id).exists()


def test_a_checkout_that_is_placed_between_the_reads_is_no_orphan(
    guest: Shopper,
    mortal_provider: FakeProvider,
    smtp: MailServer,
    meanwhile: Callable[..., None],
) -> None:
    """Guard: the second look: its order is read, and its saga was not there yet."""
    meanwhile(lambda: drive(id_of(guest.place())))
    assert told() == []


def test_what_is_wrong_and_stands_still_is_reported(
    saga_id: UUID, vandal: Vandal, meanwhile: Callable[..., None]
) -> None:
    drive(saga_id)
    vandal.write("notifications", "DELETE FROM notifications_message")
    meanwhile(lambda: None)
    assert [rule for rule, *_ in told()] == ["confirmation-sent"]
