"""The saga list: a row tells the story, a search finds by whatever people can name, fast."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from payments.models import Payment
from sagas import journal, operations, verbs
from sagas.checkout.tests.shopping import EMAIL, Shopper, id_of, new_key
from sagas.console import filters
from sagas.models import Parked, Saga
from sagas.stuck import standing_of, stuck_sagas
from sagas.tests.conftest import NOBODY, deliver, drive, let_time_pass

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

LIST = reverse("admin:sagas_saga_changelist")


@pytest.fixture
def silent_payments() -> Iterator[None]:
    """Nothing listens where the payments' database is said to be."""
    connection = connections["payments"]
    before = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict |= {"HOST": "127.0.0.1", "PORT": "1"}
    yield
    connection.close()
    connection.settings_dict |= before


def rows(client: Client, query: str = "") -> list[Any]:
    answer = client.get(f"{LIST}{query}")
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


def test_one_row_tells_the_story(guest: Shopper, outside: None, operator: Client) -> None:
    placed = guest.place()
    drive(id_of(placed))
    text = operator.get(LIST).text
    number = guest.look(placed).json()["order_number"]
    for words in (number, "a***@example.org", "COMPLETE", "5 of 5", "25.00 EUR charged", "2 held"):
        assert words in text
    assert EMAIL not in text


def test_it_says_why_a_checkout_waits(guest: Shopper, outside: None, operator: Client) -> None:
    saga_id = id_of(guest.place(payment_token="tok_late_success_600"))
    drive(saga_id, until="INVENTORY_RESERVED")
    deliver(saga_id)
    text = operator.get(LIST).text
    assert "in doubt, charge_payment" in text
    assert "2 of 5" in text


@pytest.mark.parametrize("what", ["number", "mail", "saga", "provider", "key"])
def test_a_search_finds_by_what_people_can_name(
    guest: Shopper, outside: None, operator: Client, what: str
) -> None:
    key = new_key()
    placed = guest.place(key=key)
    saga_id = drive(id_of(placed)).pk
    guest.place(email="somebody.else@example.org")
    text = {
        "number": guest.look(placed).json()["order_number"],
        "mail": EMAIL,
        "saga": str(saga_id),
        "provider": Payment.objects.using("payments").get(saga_id=saga_id).provider_ref,
        "key": key,
    }[what]
    assert [saga.pk for saga in rows(operator, f"?q={text}")] == [saga_id]
    assert rows(operator, f"?q={text[:-1]}") == []


def test_the_queries_are_as_many_for_five_rows_as_for_fifty(
    guest: Shopper, outside: None, operator: Client
) -> None:
    def queries() -> dict[str, int]:
        with (
            CaptureQueriesContext(connections["default"]) as default,
            CaptureQueriesContext(connections["orders"]) as orders,
            CaptureQueriesContext(connections["payments"]) as payments,
            CaptureQueriesContext(connections["inventory"]) as inventory,
        ):
            rows(operator)
        seen = {"default": default, "orders": orders, "payments": payments, "stock": inventory}
        return {name: len(captured) for name, captured in seen.items()}

    for _ in range(5):
        drive(id_of(guest.place()), until="ORDER_CREATED")
    queries()
    few = queries()
    for _ in range(45):
        guest.place()
    assert queries() == few
    assert (few["orders"], few["payments"], few["stock"]) == (1, 1, 1)


def test_a_silent_domain_is_unknown_and_the_list_goes_on(
    guest: Shopper, outside: None, operator: Client, silent_payments: None
) -> None:
    saga_id = Saga.objects.using("default").create(
        kind="checkout", version=1, principal="guest", idempotency_key="k", request_fingerprint="f",
        deadline_at="2030-01-01T00:00Z", lease_until="2030-01-01T00:00Z",
    ).pk  # fmt: skip
    assert "payment unknown" in operator.get(LIST).text
    page = operator.get(reverse("admin:sagas_saga_change", args=[saga_id]))
    assert page.status_code == 200
    assert "Payments does not say" in page.text
    assert "we cannot see the payment just now" in page.text


def test_a_source_that_falls_silent_is_shown_with_its_last_answer(
    guest: Shopper, outside: None, operator: Client, request: pytest.FixtureRequest
) -> None:
    saga_id = drive(id_of(guest.place())).pk
    page = reverse("admin:sagas_saga_change", args=[saga_id])
    assert "does not say" not in operator.get(page).text
    request.getfixturevalue("silent_payments")
    text = operator.get(page).text
    assert "Payments does not say; it last answered" in text
    assert "unknown" in text


def test_a_version_that_is_not_deployed_is_said_and_breaks_nothing(
    guest: Shopper, operator: Client
) -> None:
    saga_id = id_of(guest.place())
    Saga.objects.using("default").update(version=99, revision=50)
    assert "unknown definition" in operator.get(LIST).text
    page = operator.get(reverse("admin:sagas_saga_change", args=[saga_id]))
    assert "not deployed" in page.text


def every_kind(guest: Shopper) -> dict[str, Any]:
    """Checkouts that wait for every reason there is."""
    found = {name: id_of(guest.place()) for name in ("waiting", "lease_expired", "paused", "old")}
    journal.claim(journal.read(found["lease_expired"]), time_limit=5)
    let_time_pass(found["lease_expired"])
    verbs.pause(found["paused"], mandate=NOBODY)
    Saga.objects.using("default").filter(pk=found["old"]).update(version=99, revision=50)
    operations.dispatch(found["old"])
    found["backing_off"] = id_of(guest.place(payment_token="tok_late_success_600"))
    drive(found["backing_off"], until="INVENTORY_RESERVED")
    deliver(found["backing_off"])
    Saga.objects.using("default").filter(pk=found["backing_off"]).update(
        next_attempt_at="2030-01-01T00:00Z", revision=90
    )
    failed = id_of(guest.place(payment_token="tok_refund_refused"))
    drive(failed, until="PAYMENT_CHARGED")
    verbs.compensate(failed, mandate=NOBODY, past_pivot=True)
    found["undo_failed"] = drive(failed).pk
    found["settled"] = drive(id_of(guest.place())).pk
    return found


def test_each_filter_finds_its_own(guest: Shopper, outside: None, operator: Client) -> None:
    found = every_kind(guest)
    expected = {
        "?why=waiting": {"waiting"},
        "?why=lease_expired": {"lease_expired"},
        "?why=paused": {"paused"},
        "?why=unknown_version": {"old"},
        "?why=backing_off": {"backing_off"},
        "?why=in_doubt": {"backing_off"},
        "?why=undo_failed": {"undo_failed"},
        "?stuck=yes": {"lease_expired", "paused", "old", "undo_failed"},
        "?stuck=unfinished": set(found) - {"settled"},
        "?state=FAILED": {"undo_failed"},
        "?reason=operator": {"undo_failed"},
        "?step=charge_payment": {"backing_off", "undo_failed"},
        "?amount=middle": set(found),
        "?amount=huge": set(),
        "?age=hour": set(found),
        "?age=older": set(),
        "?kind=checkout": set(found),
    }
    names = {saga_id: name for name, saga_id in found.items()}
    for query, wanted in expected.items():
        assert {names[saga.pk] for saga in rows(operator, query)} == wanted, query


def test_the_database_and_the_code_mean_the_same_by_stuck(guest: Shopper, outside: None) -> None:
    every_kind(guest)
    let_time_pass(drive(id_of(guest.place()), until="ORDER_CREATED").pk)
    sagas = journal.sagas_now()
    stuck = {saga.pk for saga in sagas if saga.parked != Parked.NO or standing_of(saga).stuck}
    assert set(sagas.filter(stuck_sagas()).values_list("pk", flat=True)) == stuck
    assert stuck


@pytest.fixture
def many(db: None) -> None:
    """Forty thousand settled sagas, and statistics of them."""
    with connections["default"].cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO sagas_saga (id, kind, version, state, reached, principal, idempotency_key,
                request_fingerprint, amount, currency, input, results, undone, given_up, epoch,
                revision, attempts, recoveries, deadline_at, parked, reason, reason_step,
                reason_detail, error_step, error_direction, error_outcome, error_type,
                error_message, created_at, updated_at, finished_at)
            SELECT gen_random_uuid(), 'checkout', 1,
                CASE WHEN n % 20 = 0 THEN 'COMPENSATED' ELSE 'COMPLETE' END,
                CASE WHEN n % 20 = 0 THEN 'INVENTORY_RESERVED' ELSE '' END, 'guest',
                'key-' || n, 'f', n % 60000, 'EUR', '{}', '{}', '{}', '[]', 1, 1, 0, 0, now(), '',
                CASE WHEN n % 20 = 0 THEN 'card-declined' ELSE '' END, '', '',
                CASE WHEN n % 20 = 0 THEN 'charge_payment' ELSE '' END, '', '',
                CASE WHEN n % 20 = 0 THEN 'CardDeclined' ELSE '' END, '',
                now() - n * interval '1 minute', now(), now() - n * interval '1 minute'
            FROM generate_series(1, 40000) AS n
            """
        )
        cursor.execute("ANALYZE sagas_saga")


QUERIES = [
    "", "stuck=yes", "stuck=unfinished", "state=FAILED", "state=COMPENSATED", "why=lease_expired",
    "why=in_doubt", "why=paused", "reason=card-declined", "step=charge_payment",
    "error=charge_payment|CardDeclined", "age=hour", "age=week", "q=key-4711",
]  # fmt: skip


def test_no_page_of_the_list_reads_the_whole_table(
    many: None, operator: Client, subtests: pytest.Subtests
) -> None:
    for query in QUERIES:
        with subtests.test(query):
            assert_reads_by_index(operator, query)


def assert_reads_by_index(operator: Client, query: str) -> None:
    with CaptureQueriesContext(connections["default"]) as captured:
        assert operator.get(f"{LIST}?{query}").status_code == 200
    asked = [q["sql"] for q in captured if 'FROM "sagas_saga"' in q["sql"]]
    assert asked
    for sql in asked:
        with connections["default"].cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        # Ten thousand rows, any rows, may be counted as they lie: that is a bound, too.
        is_bounded = sql.endswith("LIMIT 10001) subquery") and "Filter" not in plan
        assert is_bounded or "Seq Scan on sagas_saga" not in plan, f"{sql}\n{plan}"


def test_whoever_may_not_see_sagas_sees_none(guest: Shopper, staff_groups: None) -> None:
    nobody = User.objects.create_user("nobody", is_staff=True)
    client = Client()
    client.force_login(nobody)
    assert client.get(LIST).status_code == 403
    page = reverse("admin:sagas_saga_change", args=[id_of(guest.place())])
    assert client.get(page).status_code == 403


def test_the_choices_of_a_filter_come_without_a_scan(db: None) -> None:
    request = RequestFactory().get(LIST)
    with CaptureQueriesContext(connections["default"]) as captured:
        for each in filters.FILTERS:
            assert each.lookups(each, request, None) is not None  # type: ignore[arg-type]
    assert len(captured) == 1
    assert "LIMIT" in captured[0]["sql"]
