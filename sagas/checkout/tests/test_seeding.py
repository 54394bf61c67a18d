"""Made-up checkouts are as consistent as real ones, and those that hang really can go on."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F, Q, Sum
from pytest_django import Settings

from inventory.models import ReservationLine, Stock
from orders.models import Order
from payments.models import Payment
from sagas import journal, verbs
from sagas.audit import findings, runs
from sagas.checkout.seeding.fates import FATES
from sagas.models import DATABASE, FAILED, Saga, StepRun
from sagas.operations import NotNow
from sagas.registry import UnknownDefinition
from sagas.stuck import standing_of
from sagas.tests.conftest import NOBODY, deliver

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


@pytest.fixture
def seeded(transactional_db: None) -> None:
    call_command("seed_sagas", count=300, stdout=StringIO())


def test_every_state_and_every_reason_to_wait_occurs(seeded: None) -> None:
    sagas = list(journal.sagas_now())
    assert len(sagas) == 300
    assert {saga.state for saga in sagas} == {fate.state for fate in FATES}
    words = " ".join(_words(saga) for saga in sagas)
    for reason in (
        "waiting for a worker", "running", "lease expired", "backing off", "in doubt",
        "undo failed", "parked for a human", "paused", "definition version unknown",
    ):  # fmt: skip
        assert reason in words, reason


def _words(saga: Saga) -> str:
    try:
        return standing_of(saga).words
    except UnknownDefinition:
        return "unknown definition"


def test_money_stock_and_orders_agree_with_the_sagas(seeded: None) -> None:
    held = ReservationLine.objects.using("inventory").filter(reservation__status="HELD")
    by_sku = dict(held.values_list("product_id").annotate(Sum("quantity")).order_by())
    stock = Stock.objects.using("inventory").filter(reserved__gt=0)
    assert dict(stock.values_list("pk", "reserved")) == by_sku
    orders = dict(Order.objects.using("orders").values_list("saga_id", "status"))
    money = dict(Payment.objects.using("payments").annotate(
        net=F("captured") - F("refunded")
    ).values_list("saga_id", "net"))  # fmt: skip
    for saga in Saga.objects.using(DATABASE):
        match saga.state:
            case "COMPLETE":
                assert (orders[saga.pk], money[saga.pk]) == ("CONFIRMED", saga.amount)
            case "COMPENSATED":
                assert (orders[saga.pk], money.get(saga.pk, 0)) == ("CANCELLED", 0)
    assert not Payment.objects.using("payments").filter(Q(refunded__gt=F("captured"))).exists()
    assert StepRun.objects.using(DATABASE).values("saga").distinct().count() > 290


def test_made_up_checkouts_break_no_rule_of_the_audit(seeded: None, settings: Settings) -> None:
    settings.PAYMENT_GATEWAYS = {}  # no provider has ever charged for them
    run = runs.run(runs.Scope.EVERYTHING)
    assert run.sagas == 300
    assert {each.severity for each in findings.open_findings()} == {"waits"}
    waiting = Saga.objects.using(DATABASE).filter(Q(state=FAILED) | ~Q(parked=""))
    assert run.waiting == waiting.count()


def test_a_failed_one_is_dispatched_by_a_real_retry(seeded: None) -> None:
    saga = Saga.objects.using(DATABASE).filter(state=FAILED).first()
    assert saga is not None
    assert "charge_payment is tried again" in verbs.retry(saga.pk, mandate=NOBODY).effect
    assert journal.read(saga.pk).state == "COMPENSATING"


@pytest.mark.parametrize("state", ["FAILED", "COMPLETE"])
def test_no_seeded_charge_is_called_undone_while_the_money_is_held(
    seeded: None, settings: Settings, state: str
) -> None:
    settings.FAKE_PROVIDER_URL = "http://127.0.0.1:9"
    saga = Saga.objects.using(DATABASE).filter(state=state).earliest("created_at")
    if state == FAILED:
        verbs.retry(saga.pk, mandate=NOBODY)
    else:
        verbs.compensate(saga.pk, mandate=NOBODY, past_pivot=True)
    deliver(saga.pk, step="charge_payment")
    stands = journal.read(saga.pk)
    assert (stands.state, "charge_payment" in stands.undone) == ("COMPENSATING", False)
    assert stands.error_type == "payments.errors.PaymentUnavailable"


def test_a_seeded_checkout_that_was_made_good_owes_no_mail(seeded: None) -> None:
    saga = Saga.objects.using(DATABASE).filter(state="COMPENSATED").earliest("created_at")
    with pytest.raises(NotNow, match="nothing to retry"):
        verbs.retry(saga.pk, mandate=NOBODY)


def test_another_seed_adds_others_beside_them(seeded: None) -> None:
    before = Saga.objects.using(DATABASE).count()
    call_command("seed_sagas", count=40, seed=2, stdout=StringIO())
    assert Saga.objects.using(DATABASE).count() == before + 40


@pytest.mark.parametrize("count", ["0", "-5", "many", "1.5"])
def test_a_bad_count_is_refused_with_its_mend(count: str) -> None:
    with pytest.raises(CommandError, match="1 or more"):
        call_command("seed_sagas", "--count", count)


def test_production_is_never_seeded(settings: Settings) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="This is production"):
        call_command("seed_sagas", count=1)
