"""The dashboard: says what is wrong, to those who may see it, and reads by index."""

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connections
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from sagas import switches
from sagas.console.tests.rows import CHARGED, NOW, a_saga, settled, viewer
from sagas.console.workers import Crew
from sagas.models import DATABASE, Saga

pytestmark = pytest.mark.django_db(databases="__all__")

INDEX = reverse("admin:index")


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """No answer of the workers is left over from another test."""
    cache.clear()
    yield
    cache.clear()


def words_of(html: str) -> str:
    """Return what a page says, without its marks and in single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def part(client: Client) -> str:
    answer = client.get(reverse("admin:sagas_dashboard"))
    assert answer.status_code == 200
    return answer.text


def test_an_empty_shop_says_so() -> None:
    words = words_of(part(viewer()))
    assert "No checkout in the last 24 hours." in words
    assert "No unsettled saga has met an error." in words
    assert "nothing settled yet" in words


def test_what_is_wrong_is_said_in_words_at_the_top() -> None:
    a_saga(state="FAILED", results=CHARGED)
    words = words_of(part(viewer()))
    assert words.startswith("Look: 1 saga is stuck, 1 of them with money at risk.")
    assert "No worker answers." in words


def test_the_index_shows_the_figures_and_where_they_are_refreshed_from() -> None:
    page = viewer().get(INDEX).text
    assert f'data-dashboard="{reverse("admin:sagas_dashboard")}"' in page
    # It does not wait for the workers; the script asks for them at once.
    assert "data-at-once" in page
    assert "being asked" in page


def test_what_is_held_back_is_shown_with_its_reason() -> None:
    olga = User.objects.create_user("olga")
    switches.close("step:checkout:charge_payment", operator=olga, reason="the bank is down")
    words = words_of(part(viewer()))
    assert "Held back: Step charge_payment of checkout since" in words
    assert "by olga: the bank is down" in words


def test_staff_who_may_not_see_sagas_see_no_figures() -> None:
    client = Client()
    client.force_login(User.objects.create_user("nora", is_staff=True))
    assert "Money at risk" not in client.get(INDEX).text
    assert client.get(reverse("admin:sagas_dashboard")).status_code == 403
    assert Client().get(reverse("admin:sagas_dashboard")).status_code == 302


def test_pages_have_no_inline_script_or_style_of_ours() -> None:
    a_saga(state="FAILED", results=CHARGED, error_step="charge_payment", error_at=NOW)
    shown = part(viewer())
    assert "<script" not in shown
    assert "style=" not in shown
    assert not re.search(r"\son\w+=", shown)


def test_a_dead_broker_is_named() -> None:
    cache.set("console:crew", Crew(broker_answers=False), 60)
    words = words_of(part(viewer()))
    assert "The broker does not answer" in words


def grow(count: int) -> None:
    """Put ``count`` settled sagas of 30 days into the table, by copying one."""
    one = settled("COMPLETE", ended=timezone.now())
    names = [field.attname for field in Saga._meta.concrete_fields]
    new = {
        "id": "gen_random_uuid()",
        "idempotency_key": "n::text",
        "created_at": "now() - n * interval '30 days' / %(count)s",
        "finished_at": "now() - n * interval '30 days' / %(count)s + interval '2 seconds'",
    }
    into = ", ".join(names)
    values = ", ".join(new.get(name, name) for name in names)
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(
            f"INSERT INTO sagas_saga ({into}) SELECT {values}"
            " FROM sagas_saga, generate_series(1, %(count)s) AS n WHERE id = %(one)s",
            {"count": count, "one": one.pk},
        )
        cursor.execute("ANALYZE sagas_saga")


def reads_the_whole_table(plan: str) -> bool:
    return "Seq Scan on sagas_saga" in plan


def test_no_query_of_the_dashboard_reads_the_whole_table() -> None:
    for _ in range(20):
        a_saga(state="FAILED", results=CHARGED, error_step="charge_payment", error_at=NOW)
        a_saga(error_step="create_order", error_at=Now())
    grow(20_000)
    client = viewer()
    part(client)
    with CaptureQueriesContext(connections[DATABASE]) as captured:
        part(client)
    queries = [query["sql"] for query in captured if "sagas_saga" in query["sql"]]
    assert len(queries) == 7
    with connections[DATABASE].cursor() as cursor:
        cursor.execute("EXPLAIN SELECT count(*) FROM sagas_saga WHERE amount > 0")
        assert reads_the_whole_table(str(cursor.fetchall()))
        for query in queries:
            cursor.execute(f"EXPLAIN {query}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert not reads_the_whole_table(plan), f"{query}\n{plan}"


def test_the_number_of_queries_does_not_grow_with_what_is_shown() -> None:
    client = viewer()
    part(client)
    counts = []
    for n in (1, 12):
        for step in range(n):
            a_saga(state="FAILED", results=CHARGED, error_step=f"step_{n}_{step}", error_at=NOW)
        with CaptureQueriesContext(connections[DATABASE]) as captured:
            part(client)
        counts.append(len(captured))
    assert counts[0] == counts[1]
