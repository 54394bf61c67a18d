"""The figures of the dashboard: what is stuck, at risk, settled and failed, and how fast."""

from datetime import timedelta
from itertools import product

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from sagas import journal
from sagas.console import figures
from sagas.console.tests.rows import AHEAD, CHARGED, NOW, a_saga, settled, viewer
from sagas.models import DATABASE, Parked, Saga
from sagas.stuck import standing_of, stuck_sagas

pytestmark = pytest.mark.django_db(databases="__all__")


def test_stuck_means_the_same_in_sql_and_in_words() -> None:
    past, ahead = timezone.now() - AHEAD, timezone.now() + AHEAD
    states = ("PENDING", "PAYMENT_CHARGED", "COMPENSATING", "COMPENSATED", "FAILED", "COMPLETE")
    made = 0
    for state, parked, claimed, lease, wait in product(
        states, Parked.values, (None, past), (None, past, ahead), (None, past, ahead)
    ):
        if state == "COMPLETE" and (parked or lease or wait):
            continue  # nothing ever moves there again
        try:
            with transaction.atomic(using=DATABASE):
                a_saga(
                    state=state, parked=parked, claimed_at=claimed, lease_until=lease,
                    next_attempt_at=wait, given_up=["charge_payment"],
                )  # fmt: skip
                made += 1
        except IntegrityError:
            continue  # the database forbids this one
    in_words = {saga.pk for saga in journal.sagas_now() if standing_of(saga).stuck}
    in_sql = set(Saga.objects.using(DATABASE).filter(stuck_sagas()).values_list("pk", flat=True))
    assert in_sql == in_words
    assert 0 < len(in_sql) < made


def test_unsettled_sagas_are_counted_by_what_becomes_of_them() -> None:
    a_saga()
    a_saga(state="COMPENSATING", reached="ORDER_CREATED")
    a_saga(state="FAILED")
    a_saga(parked=Parked.PAUSED)
    a_saga(state="COMPLETE")
    found = figures.unsettled()
    assert (found.in_flight, found.compensating, found.failed) == (2, 1, 1)


def test_money_at_risk_is_what_was_charged_and_neither_given_back_nor_settled() -> None:
    a_saga(state="ORDER_CONFIRMED", results=CHARGED, amount=1000)
    a_saga(state="FAILED", results=CHARGED, amount=300)
    a_saga(state="FAILED", results=CHARGED, amount=1500, currency="JPY")
    a_saga(state="COMPENSATING", results=CHARGED, undone={"charge_payment": {}})
    a_saga(state="COMPENSATED", results=CHARGED, undone={"charge_payment": {}})
    a_saga(state="COMPLETE", results=CHARGED)
    a_saga(state="INVENTORY_RESERVED", results={"create_order": {}})
    at_risk = figures.unsettled().at_risk
    assert (at_risk.sagas, str(at_risk)) == (3, "13.00 EUR and 1,500 JPY")


def test_a_charge_in_doubt_is_told_apart_from_money_at_risk() -> None:
    doubt = {"error_step": "charge_payment", "error_outcome": "in_doubt"}
    a_saga(state="INVENTORY_RESERVED", amount=700, **doubt)
    a_saga(state="PAYMENT_CHARGED", results=CHARGED, amount=900, **doubt)
    found = figures.unsettled()
    assert (str(found.at_risk), str(found.in_doubt)) == ("9.00 EUR", "7.00 EUR")


def test_the_oldest_stuck_saga_is_named_and_how_many_hold_money() -> None:
    old = NOW - timedelta(days=3)
    a_saga(state="FAILED", created_at=old, results=CHARGED)
    a_saga(lease_until=NOW, created_at=NOW)
    a_saga(created_at=NOW - timedelta(days=9))
    found = figures.stuck()
    assert (found.sagas, found.at_risk, found.oldest) == (2, 1, old)


def test_today_begins_at_midnight_utc() -> None:
    midnight = NOW.replace(hour=0, minute=0)
    for ended in (midnight, NOW, NOW):
        settled("COMPLETE", ended=ended)
    settled("COMPENSATED", ended=NOW)
    settled("COMPENSATED", ended=midnight - timedelta(seconds=1))
    found = figures.today(now=NOW)
    assert (found.completed, found.compensated, found.share) == (3, 1, "25.0%")


def test_the_charts_have_whole_hours_that_end_now() -> None:
    for took in (1.0, 2.0, 3.0):
        settled("COMPLETE", ended=NOW - timedelta(minutes=5), took=took)
    settled("COMPENSATED", ended=NOW - timedelta(hours=23, minutes=59), took=40)
    settled("COMPLETE", ended=NOW - timedelta(hours=24, minutes=1))
    failed_at = NOW - timedelta(hours=1, minutes=1)
    a_saga(state="FAILED", created_at=NOW - timedelta(days=2), error_at=failed_at)
    hours = figures.hours(now=NOW)
    assert len(hours) == 24
    assert (hours[0].at, hours[-1].at) == (NOW - timedelta(hours=24), NOW - timedelta(hours=1))
    first, before_last, last = hours[0], hours[-2], hours[-1]
    assert (last.started, last.completed, last.compensated, last.failed) == (3, 3, 0, 0)
    assert (last.p50, last.p95) == (timedelta(seconds=2), timedelta(seconds=2.9))
    assert (first.started, first.compensated, first.p50) == (1, 1, timedelta(seconds=40))
    assert (before_last.failed, before_last.p50) == (1, None)
    assert sum(hour.started for hour in hours) == 4


def test_failures_are_grouped_by_step_and_error_the_most_frequent_first() -> None:
    refused = {"error_step": "charge_payment", "error_type": "payments.services.RefundRefused"}
    a_saga(error_step="send_confirmation", error_type="", error_at=NOW)
    a_saga(**refused, error_at=NOW, amount=100)
    a_saga(**refused, error_at=NOW - AHEAD, amount=250, currency="USD")
    a_saga(**refused, state="COMPLETE")
    first, second = figures.failures()
    assert (first.step, first.words, first.stake.sagas) == ("charge_payment", "RefundRefused", 2)
    assert (first.stake.written, first.last_at) == (["1.00 EUR", "2.50 USD"], NOW)
    assert (second.step, second.words) == ("send_confirmation", "worker lost")


def test_a_failure_leads_to_the_list_of_its_sagas() -> None:
    a_saga(error_step="charge_payment", error_type="payments.services.RefundRefused")
    a_saga(error_step="charge_payment", error_type="payments.services.CardDeclined")
    listed = viewer().get(figures.failures()[0].page).context["cl"].result_list
    assert len(listed) == 1
