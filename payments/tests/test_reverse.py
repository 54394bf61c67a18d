"""A charge can be taken back at every point, and cannot come after it was taken back."""

import pytest
from django.db import connections, transaction

from payments import services
from payments.models import DATABASE, Kind, Payment, Receipt, Status
from payments.tests.checkout import TOTAL, Checkout
from payments.tests.provider import FakeProvider, eventually
from payments.tests.staging import Killed, Moment, Stage, Worker
from sagas.participant.receipts import AlreadyCompensated

pytestmark = pytest.mark.django_db(databases=["default", DATABASE], transaction=True)


def _holds_nothing(checkout: Checkout, provider: FakeProvider) -> bool:
    """Nothing is held, here or there, and nothing can be charged any more."""
    captured = sum(c["amount"] for c in provider.captures(checkout.intent))
    money = checkout.money
    with pytest.raises(AlreadyCompensated):
        checkout.charge()
    return (
        captured == provider.refunded(checkout.intent)
        and (money.captured, money.refunded) == (captured, captured)
        and not money.in_doubt
    )


def test_a_reversal_before_any_charge_leaves_a_tombstone(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_success")
    assert checkout.reverse() == {}
    assert checkout.reverse() == {}
    with pytest.raises(AlreadyCompensated):
        checkout.charge()
    assert not Payment.objects.using(DATABASE).exists()


def test_a_charge_is_refunded_once_however_often_it_is_reversed(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_success")
    checkout.charge()
    assert checkout.reverse() == {"refunded": TOTAL}
    assert checkout.reverse() == {"refunded": TOTAL}
    assert checkout.payment.status == Status.REFUNDED
    assert provider.begun("refund", checkout.intent) == 1
    assert _holds_nothing(checkout, provider)
    receipt = Receipt.objects.using(DATABASE).get(saga_id=checkout.saga_id, step="charge_payment")
    assert receipt.undo_result == {"refunded": TOTAL}


@pytest.mark.parametrize(
    ("token", "by_provider"), [("tok_refund_refused_once", TOTAL), ("tok_refund_refused", 0)]
)
def test_a_refund_by_hand_is_recorded_only_if_the_provider_still_refuses_its_own(
    provider: FakeProvider, token: str, by_provider: int
) -> None:
    """Guard: the provider is asked once more (without it: paid back by both)."""
    checkout = Checkout(token=token)
    checkout.charge()
    with pytest.raises(services.RefundRefused):
        checkout.reverse()
    services.refund_by_hand(saga_id=checkout.saga_id, reference="TR-1")
    assert provider.refunded(checkout.intent) == by_provider
    assert checkout.money.refunded == TOTAL
    by_hand = checkout.operations(Kind.REFUND)[-1].provider_ref.startswith("by hand")
    assert by_hand is (by_provider == 0)


def test_a_declined_charge_is_cancelled(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_declined")
    with pytest.raises(services.CardDeclined):
        checkout.charge()
    assert checkout.reverse() == {"cancelled": True}
    assert provider.get(f"/v1/payment_intents/{checkout.intent}")["status"] == "canceled"
    assert _holds_nothing(checkout, provider)


@pytest.mark.parametrize(
    ("token", "undone"),
    [
        ("tok_reply_lost", {"refunded": TOTAL}),
        ("tok_500_after", {"refunded": TOTAL}),
        ("tok_500_before", {"cancelled": True}),
        ("tok_500_always", {"cancelled": True}),
    ],
)
def test_a_doubtful_charge_is_asked_about_and_undone(
    provider: FakeProvider, token: str, undone: services.Result
) -> None:
    checkout = Checkout(token=token)
    with pytest.raises(services.PaymentInDoubt):
        checkout.charge()
    assert checkout.reverse() == undone
    assert _holds_nothing(checkout, provider)


def test_a_charge_in_process_is_undone_once_the_bank_has_spoken(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_late_success_600")
    with pytest.raises(services.PaymentInDoubt):
        checkout.charge()
    with pytest.raises(services.PaymentInDoubt):
        checkout.reverse()
    assert checkout.money.in_doubt
    provider.advance()
    assert checkout.reverse() == {"refunded": TOTAL}
    assert _holds_nothing(checkout, provider)


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("verb", ["create_intent", "confirm"])
def test_a_frozen_charge_that_wakes_after_its_reversal_charges_nothing(
    provider: FakeProvider, stage: Stage, verb: str, moment: Moment
) -> None:
    """Guards: the shared key of the intent, its cancel, and the row's REVERSING."""
    checkout = Checkout(token="tok_success")
    frozen = stage.freeze(verb, moment)
    worker = Worker(checkout.charge)
    assert frozen.arrived.wait(20)
    undone = checkout.reverse()
    frozen.wake()
    assert isinstance(worker.end().error, AlreadyCompensated)
    was_captured = (verb, moment) == ("confirm", Moment.AFTER)
    assert undone == ({"refunded": TOTAL} if was_captured else {"cancelled": True})
    assert len(provider.captures(checkout.intent)) == int(was_captured)
    assert provider.intents_of(checkout.payment.pk) == [checkout.intent]
    assert _holds_nothing(checkout, provider)


def test_a_charge_never_writes_over_a_reversal(provider: FakeProvider, stage: Stage) -> None:
    """Guard: the lock on the payment's row, taken before the row is read."""
    checkout = Checkout(token="tok_success")
    frozen = stage.freeze("create_intent", Moment.AFTER)
    worker = Worker(checkout.charge)
    assert frozen.arrived.wait(20)
    with transaction.atomic(using=DATABASE):
        payment = Payment.objects.using(DATABASE).select_for_update().get(saga_id=checkout.saga_id)
        frozen.wake()
        eventually(_somebody_waits_for_a_lock)
        payment.begin_reversal()
        payment.save(using=DATABASE, update_fields=["status"])
    assert isinstance(worker.end().error, AlreadyCompensated)
    assert checkout.payment.status == Status.REVERSING
    assert provider.captures(checkout.intent) == []


def _somebody_waits_for_a_lock() -> bool:
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE NOT granted AND datname = current_database()"
        )
        return bool(cursor.fetchone() != (0,))


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("verb", ["create_intent", "confirm"])
def test_a_charge_killed_at_any_point_is_undone(
    provider: FakeProvider, stage: Stage, verb: str, moment: Moment
) -> None:
    checkout = Checkout(token="tok_success")
    stage.kill(verb, moment)
    with pytest.raises(Killed):
        checkout.charge()
    checkout.reverse()
    assert _holds_nothing(checkout, provider)


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize(
    ("verb", "token"), [("refund", "tok_success"), ("cancel", "tok_500_before")]
)
def test_a_reversal_killed_at_any_point_goes_on(
    provider: FakeProvider, stage: Stage, verb: str, token: str, moment: Moment
) -> None:
    checkout = Checkout(token=token)
    try:
        checkout.charge()
    except services.PaymentInDoubt:
        assert verb == "cancel"
    stage.kill(verb, moment)
    with pytest.raises(Killed):
        checkout.reverse()
    assert checkout.payment.status == Status.REVERSING
    assert checkout.reverse() == checkout.reverse()
    assert provider.begun(verb, checkout.intent) == 1
    assert _holds_nothing(checkout, provider)


def test_a_reversal_killed_before_it_made_the_intent_goes_on(
    provider: FakeProvider, stage: Stage
) -> None:
    checkout = Checkout(token="tok_success")
    for act in (checkout.charge, checkout.reverse):
        stage.kill("create_intent", Moment.BEFORE)
        with pytest.raises(Killed):
            act()
    assert checkout.reverse() == {"cancelled": True}
    assert _holds_nothing(checkout, provider)


@pytest.mark.parametrize("token", ["tok_success", "tok_500_before"])
def test_two_reversals_at_once_undo_once(provider: FakeProvider, token: str) -> None:
    """Guards: the operation's key, and that the provider refunds no more than it captured."""
    checkout = Checkout(token=token)
    try:
        checkout.charge()
    except services.PaymentInDoubt:
        assert token == "tok_500_before"
    for worker in [Worker(checkout.reverse) for _ in range(6)]:
        error = worker.end().error
        assert error is None or isinstance(error, services.PaymentInDoubt)
    checkout.reverse()
    assert _holds_nothing(checkout, provider)
    assert len(checkout.operations(Kind.REFUND)) == int(token == "tok_success")


def test_a_reversal_and_a_charge_at_once_end_reversed(provider: FakeProvider) -> None:
    """Guards: the receipt closes the door, the intent is one for both, the row lock orders them."""
    for _ in range(10):
        checkout = Checkout(token="tok_success")
        charge, undo = Worker(checkout.charge), Worker(checkout.reverse)
        charge.end()
        error = undo.end().error
        assert error is None or isinstance(error, services.PaymentInDoubt)
        undone = checkout.reverse()
        if undone:
            assert _holds_nothing(checkout, provider)
        else:
            assert not Payment.objects.using(DATABASE).filter(saga_id=checkout.saga_id).exists()
