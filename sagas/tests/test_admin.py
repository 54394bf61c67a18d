"""Staff see every saga and why it waits; two verbs say what they did and what they skipped."""

from collections.abc import Callable

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from sagas import journal
from sagas.models import DATABASE, Saga
from sagas.tests.conftest import deliver, drive, let_time_pass, start_toy
from sagas.tests.toy import Busy, Doubtful, Refused, Theatre

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("stage"),
]

LIST = "/admin/sagas/saga/"
Login = Callable[..., Client]


@pytest.fixture
def login() -> Login:
    """Log a member of staff in who may do just what is named."""

    def log_in(*codenames: str) -> Client:
        person = get_user_model().objects.create_user("sam", password=None, is_staff=True)
        person.user_permissions.set(
            Permission.objects.filter(codename__in=[*codenames, "view_saga"])
        )
        client = Client()
        client.force_login(person)
        return client

    return log_in


def _act(client: Client, action: str, *sagas: Saga) -> str:
    form = {"action": action, "_selected_action": [str(saga.pk) for saga in sagas]}
    return client.post(LIST, form, follow=True).content.decode()


def _parked_past_the_pivot(stage: Theatre) -> Saga:
    stage.script["find_seat"] = [Refused("no seat")]
    return drive(start_toy().pk)


def test_the_list_tells_a_stuck_saga_from_one_that_runs(login: Login, stage: Theatre) -> None:
    running = start_toy("runs")
    _parked_past_the_pivot(stage)
    page = login().get(LIST).content.decode()
    assert "parked for a human: refused past the pivot" in page
    assert f"waiting for a worker for {running.due_step}" in page


def test_the_list_says_in_doubt_and_backing_off(login: Login, stage: Theatre) -> None:
    stage.script["pack_bag"] = [Doubtful("no reply")]
    saga = start_toy()
    deliver(saga.pk)
    page = login().get(LIST).content.decode()
    assert "in doubt, pack_bag" in page


def test_a_lease_that_ran_out_is_stuck(login: Login, stage: Theatre) -> None:
    saga = start_toy()
    journal.claim(journal.read(saga.pk), time_limit=5)
    client = login()
    assert "running pack_bag" in client.get(LIST).content.decode()
    let_time_pass(saga.pk)
    assert "lease expired during pack_bag" in client.get(LIST).content.decode()


def test_the_list_takes_the_same_queries_however_many_sagas(login: Login) -> None:
    client = login("retry_saga")

    def queries() -> int:
        with CaptureQueriesContext(connections[DATABASE]) as seen:
            assert client.get(LIST).status_code == 200
        return len(seen)

    start_toy("first")
    queries()
    alone = queries()
    for n in range(10):
        start_toy(f"more-{n}")
    assert queries() == alone


def test_a_saga_of_an_unknown_definition_can_be_looked_at(login: Login) -> None:
    saga = start_toy()
    Saga.objects.using(DATABASE).update(version=99, revision=50)
    client = login()
    assert "unknown definition" in client.get(LIST).content.decode()
    assert client.get(f"{LIST}{saga.pk}/change/").status_code == 200


def test_the_page_shows_every_attempt(login: Login, stage: Theatre) -> None:
    stage.script["pack_bag"] = [Busy("the bag is open")]
    saga = drive(start_toy().pk)
    page = login("view_steprun").get(f"{LIST}{saga.pk}/change/").content.decode()
    assert "the bag is open" in page
    assert "wave_goodbye" in page


@pytest.mark.parametrize("model", ["saga", "steprun", "operatoraction", "heartbeat"])
def test_nothing_is_added_changed_or_deleted_by_hand(stage: Theatre, model: str) -> None:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("boss", password=None))
    drive(start_toy().pk)
    journal.beat("recovery")
    assert client.get(reverse(f"admin:sagas_{model}_changelist")).status_code == 200
    assert client.get(reverse(f"admin:sagas_{model}_add")).status_code == 403
    listed = client.get(reverse(f"admin:sagas_{model}_changelist")).content.decode()
    assert "delete_selected" not in listed
