"""Bulk runs: frozen ids, a canary, a pace, a stop, and what became of each saga."""

from collections import Counter
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from payments.tests.provider import FakeProvider
from sagas import bulk, operations
from sagas.checkout.tests.shopping import Shopper, id_of, new_key
from sagas.console.tests.conftest import staff
from sagas.models import BulkItem, BulkRun, OperatorAction, Saga
from sagas.tests.conftest import drive, start_toy
from sagas.tests.toy import Refused, Theatre

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

LIST = reverse("admin:sagas_saga_changelist")


@pytest.fixture(autouse=True)
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices do not sleep between sagas."""
    monkeypatch.setattr("sagas.bulk.time.sleep", lambda _: None)


def chief() -> User:
    return User.objects.create_superuser("chief")


def parked_toys(stage: Theatre, count: int) -> list[UUID]:
    """Sagas that wait for a human past their pivot."""
    found = []
    for _ in range(count):
        stage.script["find_seat"] = [Refused("no seats")]
        found.append(drive(start_toy(new_key()).pk).pk)
    return found


def begun(saga_ids: list[UUID], verb: str = "retry", **order: int) -> BulkRun:
    run = bulk.freeze(saga_ids, operator=chief(), verb=verb, address=None)
    given = {"per_second": 50, "canary": 3, "max_failures": 5, **order}
    bulk.begin(run, reason="the station is open again", **given)
    return run


def outcomes(run: BulkRun) -> Counter[str]:
    items = BulkItem.objects.using("default").filter(run=run)
    return Counter(items.values_list("outcome", flat=True))


def settle(run: BulkRun) -> None:
    """Play the broker's part for the sagas that the run has begun."""
    items = BulkItem.objects.using("default").filter(run=run, outcome="under_way")
    for item in items:
        drive(item.saga_id)


def test_the_rest_waits_until_the_first_few_have_ended_well(stage: Theatre) -> None:
    run = begun(parked_toys(stage, 8))
    bulk.advance(run)
    assert outcomes(run) == {"under_way": 3, "waiting": 5}
    settle(run)
    bulk.advance(run)
    assert outcomes(run)["succeeded"] == 3
    settle(run)
    bulk.advance(run)
    assert outcomes(run) == {"succeeded": 8}
    run.refresh_from_db()
    assert run.state == "done"
    words = OperatorAction.objects.using("default").filter(verb="retry").values_list("reason")
    assert {reason for (reason,) in words} == {f"the station is open again (bulk run {run.pk})"}


def test_a_canary_that_does_not_end_as_wanted_stops_the_run(stage: Theatre) -> None:
    run = begun(parked_toys(stage, 8))
    stage.script["find_seat"] = [Refused("still no seats")]
    bulk.advance(run)
    settle(run)
    bulk.advance(run)
    run.refresh_from_db()
    assert (run.state, run.stopped_why) == (
        "stopped",
        "one of the first few did not end as wanted",
    )
    assert outcomes(run) == {"failed": 1, "succeeded": 2, "waiting": 5}


def test_too_many_failures_stop_the_run(stage: Theatre) -> None:
    run = begun(parked_toys(stage, 12), canary=1, max_failures=2)
    bulk.advance(run)
    settle(run)
    stage.script["find_seat"] = [Refused("no")] * 4
    bulk.advance(run)
    settle(run)
    bulk.advance(run)
    run.refresh_from_db()
    assert run.state == "stopped"
    assert "4 sagas did not end as wanted" in run.stopped_why


def test_what_cannot_be_done_is_skipped_with_its_reason(stage: Theatre) -> None:
    complete = drive(start_toy("done").pk).pk
    run = begun([complete, *parked_toys(stage, 1)])
    bulk.advance(run)
    settle(run)
    bulk.advance(run)
    item = BulkItem.objects.using("default").get(run=run, saga_id=complete)
    assert (item.outcome, item.words) == (
        "skipped",
        "it is COMPLETE: there is nothing to retry",
    )


def test_the_sagas_are_those_that_were_looked_at(stage: Theatre) -> None:
    chosen = parked_toys(stage, 2)
    run = begun(chosen)
    later = parked_toys(stage, 1)
    bulk.advance(run)
    items = BulkItem.objects.using("default").filter(run=run).values_list("saga_id", flat=True)
    assert set(items) == set(chosen)
    assert Saga.objects.using("default").get(pk=later[0]).parked


def test_two_workers_on_one_run_begin_each_saga_once(stage: Theatre) -> None:
    """Guard: the run's lease (without it the second slice begins the same sagas again)."""
    run = begun(parked_toys(stage, 3))
    BulkRun.objects.using("default").filter(pk=run.pk).update(
        busy_until=Saga.objects.using("default").values("deadline_at")[:1]
    )
    bulk.advance(run)
    assert outcomes(run) == {"waiting": 3}


def test_a_run_is_begun_once(stage: Theatre) -> None:
    run = begun(parked_toys(stage, 1))
    with pytest.raises(operations.NotNow, match="begun already"):
        bulk.begin(run, reason="again", per_second=1, canary=1, max_failures=0)


def test_a_tick_goes_on_with_every_open_run(stage: Theatre) -> None:
    run = begun(parked_toys(stage, 2))
    bulk.tick(a_later_versions_argument=1)
    settle(run)
    bulk.tick()
    run.refresh_from_db()
    assert run.state == "done"


def test_from_the_list_to_the_report(guest: Shopper, outside: None, provider: FakeProvider) -> None:
    placed = [guest.place() for _ in range(4)]
    ids = [drive(id_of(each), until="ORDER_CREATED").pk for each in placed]
    client = staff("olga", "operator")
    chosen = client.post(
        LIST, {"action": "compensate_chosen", "_selected_action": [str(pk) for pk in ids]}
    )
    page = chosen.headers["Location"]
    looked = client.get(page).text
    assert "4 sagas" in looked
    assert "100.00 EUR" in looked
    assert not OperatorAction.objects.using("default").exists()
    order = {"reason": "wrong price", "per_second": 50, "canary": 4, "max_failures": 0}
    assert client.post(page, order).status_code == 302
    run = BulkRun.objects.using("default").get()
    bulk.advance(run)
    settle(run)
    bulk.advance(run)
    report = client.get(page).text
    assert "4 of 4" in report
    assert "done" in report
    assert client.get(reverse("admin:sagas_saga_bulk_list")).status_code == 200
    states = Saga.objects.using("default").values_list("state", flat=True)
    assert set(states) == {"COMPENSATED"}


def test_only_whoever_chose_them_begins_and_only_with_the_permission(
    guest: Shopper, outside: None
) -> None:
    saga_id = id_of(guest.place())
    olga, vera, otto = staff("olga", "operator"), staff("vera", "viewer"), staff("otto", "operator")
    choice = {"action": "pause_chosen", "_selected_action": [str(saga_id)]}
    assert vera.post(LIST, choice).headers.get("Location", "").find("/bulk/") == -1
    page = olga.post(LIST, choice).headers["Location"]
    order = {"reason": "x", "per_second": 5, "canary": 1, "max_failures": 0}
    assert vera.post(page, order).status_code == 403
    assert "choose them yourself" in otto.post(page, order).text
    assert BulkRun.objects.using("default").get().state == "looked_at"


def test_an_amount_that_needs_two_people_is_not_done_in_bulk(
    guest: Shopper, outside: None, settings: object
) -> None:
    settings.CONSOLE_APPROVAL_AMOUNT = 100  # type: ignore[attr-defined]
    saga_id = drive(id_of(guest.place())).pk
    run = begun([saga_id], "compensate")
    bulk.advance(run)
    item = BulkItem.objects.using("default").get(run=run)
    assert item.outcome == "skipped"
    assert "second operator" in item.words


@pytest.mark.parametrize(
    ("field", "value"), [("reason", ""), ("per_second", "0"), ("canary", "x"), ("max_failures", -1)]
)
def test_a_bad_order_names_the_field_and_begins_nothing(
    guest: Shopper, operator: Client, field: str, value: object
) -> None:
    saga_id = id_of(guest.place())
    page = operator.post(
        LIST, {"action": "retry_chosen", "_selected_action": [str(saga_id)]}
    ).headers["Location"]
    order = {"reason": "x", "per_second": 5, "canary": 1, "max_failures": 0, field: value}
    answer = operator.post(page, order)
    assert answer.status_code == 200
    assert field in answer.context["form"].errors
    assert BulkRun.objects.using("default").get().state == "looked_at"
