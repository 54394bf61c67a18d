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
from sagas.models import DATABASE, FAILED, OperatorAction, Parked, Saga
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
    assert "pack_bag (in_doubt): no reply" in page


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


def test_retry_lets_a_parked_saga_go_on_and_logs_who(login: Login, stage: Theatre) -> None:
    saga = _parked_past_the_pivot(stage)
    page = _act(login("retry_saga"), "retry_now", saga)
    assert f"{saga.pk}: find_seat is tried again." in page
    assert journal.read(saga.pk).parked == Parked.NO
    action = OperatorAction.objects.using(DATABASE).get()
    assert (action.verb, action.operator and action.operator.get_username()) == ("retry", "sam")
    assert drive(saga.pk).state == "COMPLETE"


def test_retry_tries_a_failed_undo_again(login: Login, stage: Theatre) -> None:
    stage.script["board_train"] = [Refused("no ticket")]
    stage.script["undo lock_door"] = [Refused("jammed")]
    saga = drive(start_toy().pk)
    assert saga.state == FAILED
    page = _act(login("retry_saga"), "retry_now", saga)
    assert "undo of lock_door is tried again" in page
    assert drive(saga.pk).state == "COMPENSATED"


def test_one_saga_at_rest_is_skipped_with_its_reason_and_the_other_is_done(
    login: Login, stage: Theatre
) -> None:
    finished = drive(start_toy("finished").pk)
    waiting = start_toy("waiting")
    page = _act(login("compensate_saga"), "compensate", finished, waiting)
    assert f"{finished.pk}: skipped" in page
    assert f"{waiting.pk}: compensation from PENDING begins." in page
    assert drive(waiting.pk).state == "COMPENSATED"


def test_past_the_pivot_compensation_needs_the_higher_permission(
    login: Login, stage: Theatre
) -> None:
    saga = _parked_past_the_pivot(stage)
    client = login("compensate_saga")
    assert "needs a higher permission" in _act(client, "compensate", saga)
    assert journal.read(saga.pk).state == "ABOARD"
    get_user_model().objects.get().user_permissions.add(
        Permission.objects.get(codename="compensate_saga_past_pivot")
    )
    assert "compensation from ABOARD begins" in _act(client, "compensate", saga)
    assert drive(saga.pk).state == "COMPENSATED"


@pytest.mark.parametrize("action", ["retry_now", "compensate"])
def test_a_viewer_is_offered_no_verb_and_cannot_force_one(
    login: Login, stage: Theatre, action: str
) -> None:
    saga = _parked_past_the_pivot(stage)
    client = login()
    assert action not in client.get(LIST).content.decode()
    _act(client, action, saga)
    assert journal.read(saga.pk).parked == Parked.REFUSED_PAST_PIVOT
    assert not OperatorAction.objects.using(DATABASE).exists()


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
