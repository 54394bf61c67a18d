"""The queue of work, and the list as CSV."""

import csv
from datetime import timedelta
from io import StringIO
from uuid import UUID

import pytest
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from sagas import verbs
from sagas.checkout.tests.shopping import EMAIL, NAME, Shopper, id_of
from sagas.console.export import HEADER, safe
from sagas.console.tests.conftest import staff
from sagas.mandates import Mandate
from sagas.models import Assignment, Saga
from sagas.tests.conftest import NOBODY, drive

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

QUEUE = reverse("admin:sagas_saga_needs_a_human")
EXPORT = reverse("admin:sagas_saga_export")


def failed(guest: Shopper, quantity: int) -> UUID:
    """A paid checkout whose refund is refused: its money is at risk."""
    placed = guest.place(
        payment_token="tok_refund_refused", lines=[{"sku": "MUG", "quantity": quantity}]
    )
    drive(id_of(placed), until="PAYMENT_CHARGED")
    verbs.compensate(id_of(placed), mandate=NOBODY, past_pivot=True)
    return drive(id_of(placed)).pk


def parked_unpaid(guest: Shopper) -> UUID:
    """A checkout of a version that is not deployed: nothing is at risk yet."""
    saga_id = id_of(guest.place(lines=[{"sku": "MUG", "quantity": 50}]))
    Saga.objects.using("default").filter(pk=saga_id).update(
        parked="unknown_version", parked_at=Now(), lease_until=None, revision=50
    )
    return saga_id


def test_what_needs_a_human_comes_by_the_money_at_risk(
    guest: Shopper, outside: None, operator: Client
) -> None:
    small, large, unpaid = failed(guest, 1), failed(guest, 4), parked_unpaid(guest)
    page = operator.get(QUEUE)
    assert [task.saga.pk for task in page.context["tasks"]] == [large, small, unpaid]
    assert [task.at_risk for task in page.context["tasks"]] == [True, True, False]
    assert "50.00 EUR" in page.text


def test_what_is_settled_or_paused_is_not_in_the_queue(
    guest: Shopper, outside: None, operator: Client
) -> None:
    drive(id_of(guest.place()))
    paused = id_of(guest.place())
    verbs.pause(paused, mandate=NOBODY)
    page = operator.get(QUEUE)
    assert page.context["tasks"] == []
    assert [task.saga.pk for task in page.context["paused"]] == [paused]


def test_a_row_says_who_has_it_what_was_noted_and_whether_it_is_overdue(
    guest: Shopper, outside: None, operator: Client
) -> None:
    saga_id = failed(guest, 1)
    verbs.note(saga_id, mandate=Mandate(operator=None, reason="called the bank"))
    Saga.objects.using("default").filter(pk=saga_id).update(
        updated_at=Now() - timedelta(hours=5), revision=F("revision") + 1
    )
    claim = reverse("admin:sagas_saga_verb", args=[saga_id, "claim"])
    answer = operator.post(claim, {"next": QUEUE})
    assert answer.headers["Location"] == QUEUE
    text = operator.get(QUEUE).text
    for words in ("olga", "called the bank", "overdue"):
        assert words in text
    assert Assignment.objects.using("default").get().saga_id == saga_id


def test_a_claim_leads_to_no_other_site(guest: Shopper, operator: Client) -> None:
    claim = reverse("admin:sagas_saga_verb", args=[id_of(guest.place()), "claim"])
    answer = operator.post(claim, {"next": "https://evil.example/"})
    assert answer.headers["Location"].startswith("/admin/")


def read(client: Client, query: str = "") -> list[dict[str, str]]:
    answer = client.get(f"{EXPORT}{query}")
    assert answer.headers["Content-Type"].startswith("text/csv")
    text = answer.getvalue().decode()
    return list(csv.DictReader(StringIO(text)))


def test_the_filtered_list_comes_as_csv_without_personal_data(
    guest: Shopper, outside: None, operator: Client
) -> None:
    complete = drive(id_of(guest.place())).pk
    failed(guest, 1)
    rows = read(operator, "?state=COMPLETE")
    assert [row["saga"] for row in rows] == [str(complete)]
    assert tuple(rows[0]) == HEADER
    assert (rows[0]["amount"], rows[0]["charged"], rows[0]["currency"]) == ("2500", "2500", "EUR")
    assert rows[0]["shopper"] == "a***@example.org"
    assert len(read(operator)) == 2
    everything = str(rows)
    assert EMAIL not in everything
    assert NAME not in everything


def test_the_list_leads_to_the_export_of_what_it_shows(outside: None, operator: Client) -> None:
    lists = reverse("admin:sagas_saga_changelist")
    assert f'href="{EXPORT}?state=COMPLETE"' in operator.get(f"{lists}?state=COMPLETE").text
    assert EXPORT not in staff("susi", "support").get(lists).text


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert safe(cell) == f"'{cell}"


def test_other_cells_stay_as_they_are() -> None:
    assert [safe(cell) for cell in ("MG-1", "", 5, None, -5)] == ["MG-1", "", 5, None, -5]


def test_only_those_with_the_permission_export(outside: None) -> None:
    assert staff("susi", "support").get(EXPORT).status_code == 403
