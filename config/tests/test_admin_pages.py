"""All pages of the admin have one theme, and none of a domain's lists reads a whole table."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import Permission, User
from django.db import connections
from django.db.models import BooleanField, DateTimeField, Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings
from unfold.admin import ModelAdmin as UnfoldAdmin

from config.admin_theme import UNFOLD
from inventory.models import Reservation
from notifications.models import Message
from orders.models import Order
from payments.models import Payment, PaymentOperation

pytestmark = pytest.mark.django_db(databases="__all__")

DOMAINS = ("orders", "inventory", "payments", "notifications")
REGISTERED = sorted(admin.site._registry.items(), key=lambda each: each[0]._meta.label)
LARGE = (Order, Payment, PaymentOperation, Reservation, Message)


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss", password=None))
    return client


def _list_of(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@pytest.mark.parametrize(
    ("model", "page"), REGISTERED, ids=[model._meta.label for model, _ in REGISTERED]
)
def test_every_page_has_the_theme(
    boss: Client, model: type[Model], page: "ModelAdmin[Any]"
) -> None:
    assert isinstance(page, UnfoldAdmin)
    assert all(hasattr(inline, "hide_title") for inline in page.inlines), (
        "an inline of Django's own"
    )
    assert boss.get(_list_of(model)).status_code == 200


def _links() -> list[tuple[str, str]]:
    groups = UNFOLD["SIDEBAR"]["navigation"]
    return [(item["title"], str(item["link"])) for group in groups for item in group["items"]]


def test_every_link_of_the_sidebar_leads_to_a_page(boss: Client, settings: Settings) -> None:
    settings.STAGING_CHAOS = True  # offered only then
    assert {title: boss.get(link).status_code for title, link in _links()} == dict.fromkeys(
        dict(_links()), 200
    )


def test_the_sidebar_offers_only_what_its_viewer_may_see(client: Client) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(clerk)
    page = client.get(_list_of(Order)).text
    offered = {title for title, link in _links() if f'href="{link}"' in page}
    assert "Orders" in offered
    assert not offered & {"Sagas", "Payments", "Users", "Periodic tasks"}


@pytest.mark.parametrize(
    "page", [page for model, page in REGISTERED if model._meta.app_label in DOMAINS], ids=str
)
def test_no_filter_of_a_domain_reads_its_choices_from_the_rows(page: "ModelAdmin[Any]") -> None:
    for name in page.list_filter:
        field = page.model._meta.get_field(str(name))
        assert getattr(field, "choices", None) or isinstance(field, BooleanField | DateTimeField)


@pytest.mark.parametrize("model", LARGE)
@pytest.mark.parametrize(
    "query", ["", "q=words", "q=0b6a3f0e-6c55-4f5b-9d0e-2f1c8a7d4e13", "status__exact=PENDING"]
)
def test_a_list_finds_its_rows_by_index(boss: Client, model: type[Model], query: str) -> None:
    table, database = model._meta.db_table, model._meta.app_label
    with CaptureQueriesContext(connections[database]) as asked:
        assert boss.get(f"{_list_of(model)}?{query}").status_code == 200
    rows = [each["sql"] for each in asked if f'FROM "{table}"' in each["sql"]]
    assert rows or query == "q=words"
    with connections[database].cursor() as cursor:
        # On an empty table a scan is the best plan; so it is only taken for want of an index.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        for sql in rows:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Seq Scan" not in plan, f"{sql}\n{plan}"
            # What a search or a filter has found is few enough to be sorted; a whole table is not.
            assert query or "Sort" not in plan, f"{sql}\n{plan}"
