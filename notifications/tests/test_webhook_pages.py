"""Staff add endpoints, see their secret once, read the log, and replay."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifications.models import DATABASE, DeliveryStatus, WebhookEndpoint
from notifications.tests import hooks
from notifications.tests.receiver import Receiver

pytestmark = pytest.mark.django_db(databases=["default", "notifications"], transaction=True)

ADD = "/admin/notifications/webhookendpoint/add/"


def page(of: WebhookEndpoint, name: str = "change") -> str:
    return reverse(f"admin:notifications_webhookendpoint_{name}", args=[of.pk])


def verb(of: Any, name: str) -> str:
    kind = type(of).__name__.lower()
    return reverse(f"admin:notifications_{kind}_verb", args=[of.pk, name])


def form(**changes: Any) -> dict[str, Any]:
    return {
        "url": "https://erp.shop.example/hooks",
        "description": "ERP",
        "event_types": ["order_confirmed", "stock_low"],
        **changes,
    }


def test_an_endpoint_is_added_and_its_secret_is_shown_once(admin_client: Client) -> None:
    answer = admin_client.post(ADD, form(), follow=True)
    to = WebhookEndpoint.objects.using(DATABASE).get()
    assert to.event_types == ["order_confirmed", "stock_low"]
    assert "Show the secret once" in answer.content.decode()
    assert "whsec_" not in admin_client.get(page(to, "secret")).content.decode()
    shown = admin_client.post(page(to, "secret"))
    assert "whsec_" in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    assert "whsec_" not in admin_client.post(page(to, "secret")).content.decode()
    assert "Show the secret once" not in admin_client.get(page(to)).content.decode()
    assert LogEntry.objects.using("default").filter(change_message__contains="shown").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "http://erp.shop.example/"}, "Use https://"),
        ({"url": "not a url"}, "Enter a valid URL"),
        ({"event_types": ["order_misspelt"]}, "not one of the available choices"),
        ({"event_types": []}, "This field is required"),
    ],
)
def test_a_form_that_will_not_do_is_refused_in_words(
    admin_client: Client, changes: dict[str, Any], words: str
) -> None:
    assert words in admin_client.post(ADD, form(**changes)).content.decode()
    assert not WebhookEndpoint.objects.using(DATABASE).exists()


def test_an_endpoint_is_changed_and_keeps_its_secret(admin_client: Client) -> None:
    to = hooks.endpoint("https://old.example/")
    admin_client.post(page(to), form())
    changed = hooks.again(to)
    assert (changed.url, changed.seed) == ("https://erp.shop.example/hooks", to.seed)


def test_looking_changes_nothing_and_posting_does(admin_client: Client) -> None:
    to = hooks.endpoint("https://erp.example/")
    for name, label in (("turn-off", "Turn off"), ("turn-on", "Turn on"), ("rotate", "new secret")):
        before = hooks.again(to)
        assert label in admin_client.get(verb(to, name)).content.decode()
        assert hooks.again(to).__dict__.keys() == before.__dict__.keys()
        assert hooks.again(to).disabled_at == before.disabled_at
        assert admin_client.post(verb(to, name)).status_code == 302
        after = hooks.again(to)
        assert (after.disabled_at, after.seed) != (before.disabled_at, before.seed)
    assert LogEntry.objects.using("default").count() == 3


def test_a_verb_that_comes_too_late_is_refused_in_words(admin_client: Client) -> None:
    to = hooks.endpoint("https://erp.example/")
    assert "on already" in admin_client.post(verb(to, "turn-on"), follow=True).content.decode()


def test_one_delivery_is_sent_again(admin_client: Client, receiver: Receiver) -> None:
    to = hooks.endpoint(receiver.url)
    hooks.happens()
    hooks.send(to)
    [delivery] = hooks.deliveries()
    change = reverse("admin:notifications_webhookdelivery_change", args=[delivery.pk])
    assert "Send again" in admin_client.get(change).content.decode()
    assert admin_client.post(verb(delivery, "send-again")).status_code == 302
    assert hooks.deliveries()[0].status == DeliveryStatus.PENDING
    hooks.send(to)
    assert receiver.ids == [str(delivery.event_id)] * 2


def test_a_span_of_time_is_replayed(admin_client: Client, receiver: Receiver) -> None:
    to = hooks.endpoint(receiver.url)
    hooks.happens()
    hooks.send(to)
    assert "what will happen" in admin_client.get(page(to, "replay")).content.decode()
    now = timezone.now()
    span = {"since": now - timedelta(hours=1), "until": now + timedelta(hours=1)}
    wrong = {"since": span["until"], "until": span["since"]}
    assert "ends before" in admin_client.post(page(to, "replay"), wrong).content.decode()
    answer = admin_client.post(page(to, "replay"), span, follow=True)
    assert "1 delivery is sent again" in answer.content.decode()
    hooks.send(to)
    assert len(receiver.requests) == 2


@pytest.mark.parametrize("name", ["secret", "replay"])
def test_who_may_only_look_is_refused_everything_else(client: Client, name: str) -> None:
    to = hooks.endpoint("https://erp.example/")
    user = User.objects.create_user("vera", is_staff=True)
    user.user_permissions.add(
        *Permission.objects.filter(codename__in=["view_webhookendpoint", "view_webhookdelivery"])
    )
    client.force_login(user)
    shown = client.get(page(to))
    assert shown.status_code == 200
    assert "Turn off" not in shown.content.decode()
    assert client.get(ADD).status_code == 403
    assert client.post(page(to), form()).status_code == 403
    assert client.post(page(to, name)).status_code == 403
    assert client.post(verb(to, "turn-off")).status_code == 403
    assert client.post(verb(to, "rotate")).status_code == 403
    assert hooks.again(to).disabled_at is None


def test_an_endpoint_leads_to_its_own_deliveries(admin_client: Client, receiver: Receiver) -> None:
    to, other = hooks.endpoint(receiver.url), hooks.endpoint(receiver.url, "stock_low")
    hooks.happens()
    hooks.happens("stock_low")
    log = reverse("admin:notifications_webhookdelivery_changelist")
    assert f"{log}?endpoint={to.pk}" in admin_client.get(page(to)).content.decode()
    for each, kind, not_kind in (
        (to, "order_confirmed", "stock_low"),
        (other, "stock_low", "order_confirmed"),
    ):
        shown = admin_client.get(log, {"endpoint": str(each.pk)})
        assert shown.status_code == 200
        assert kind in shown.content.decode()
        assert not_kind not in shown.content.decode()


@pytest.mark.parametrize("model", ["webhookendpoint", "webhookdelivery", "notice", "inboxentry"])
def test_every_list_shows_and_searches(
    admin_client: Client, receiver: Receiver, model: str
) -> None:
    hooks.endpoint(receiver.url)
    hooks.happens()
    where = reverse(f"admin:notifications_{model}_changelist")
    assert admin_client.get(where).status_code == 200
    assert admin_client.get(where, {"q": "00000000-0000-0000-0000-000000000007"}).status_code == 200
