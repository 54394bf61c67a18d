"""Past the time for which the provider keeps keys, nothing is sent again before it was asked.

Each test lets a day pass at the provider and in our rows.
"""

from datetime import timedelta

import pytest
from django.db.models import F

from payments import services
from payments.models import DATABASE, Kind, OperationStatus, PaymentOperation, Status
from payments.operations import KEY_TOO_OLD
from payments.tests.checkout import TOTAL, Checkout
from payments.tests.provider import FakeProvider
from payments.tests.staging import Killed, Moment, Stage

pytestmark = pytest.mark.django_db(databases=["default", DATABASE], transaction=True)

DAY = timedelta(hours=24)


def _a_day_passes(provider: FakeProvider, checkout: Checkout) -> None:
    provider.provoke("advance", seconds=DAY.total_seconds())
    rows = PaymentOperation.objects.using(DATABASE).filter(payment=checkout.payment)
    rows.update(created_at=F("created_at") - DAY)


def _keys(provider: FakeProvider, path: str, checkout: Checkout) -> list[str]:
    """Return the keys under which ``path`` was posted for this checkout, in order."""
    posted = [e for e in provider.events("request") if e["method"] == "POST" and e["key"]]
    return [e["key"] for e in posted if e["path"] == path and str(checkout.payment.pk) in e["key"]]


def test_an_intent_whose_reply_was_lost_is_found_by_our_id(
    provider: FakeProvider, stage: Stage
) -> None:
    """Guard: the look by metadata; the old key would make a second intent."""
    checkout = Checkout(token="tok_success")
    stage.kill("create_intent", Moment.AFTER)
    with pytest.raises(Killed):
        checkout.charge()
    _a_day_passes(provider, checkout)
    assert checkout.charge()["charged"] == TOTAL
    assert len(_keys(provider, "/v1/payment_intents", checkout)) == 1
    assert len(provider.captures(checkout.intent)) == 1


def test_an_intent_that_was_never_made_is_made_under_a_new_key(
    provider: FakeProvider, stage: Stage
) -> None:
    checkout = Checkout(token="tok_success")
    stage.kill("create_intent", Moment.BEFORE)
    with pytest.raises(Killed):
        checkout.charge()
    _a_day_passes(provider, checkout)
    assert checkout.charge()["charged"] == TOTAL
    old, new = checkout.operations(Kind.INTENT)
    assert (old.status, old.error_code) == (OperationStatus.FAILED, KEY_TOO_OLD)
    assert new.status == OperationStatus.SUCCEEDED
    assert _keys(provider, "/v1/payment_intents", checkout) == [new.idempotency_key]


def test_within_its_time_a_key_is_used_again(provider: FakeProvider, stage: Stage) -> None:
    checkout = Checkout(token="tok_success")
    stage.kill("create_intent", Moment.BEFORE)
    with pytest.raises(Killed):
        checkout.charge()
    checkout.charge()
    assert len(checkout.operations(Kind.INTENT)) == 1


@pytest.mark.parametrize("moment", list(Moment))
def test_a_refund_is_looked_for_before_a_new_key_is_used(
    provider: FakeProvider, stage: Stage, moment: Moment
) -> None:
    """Guard: the list of refunds; the old key would give the money back twice, or nothing."""
    checkout = Checkout(token="tok_success")
    checkout.charge()
    stage.kill("refund", moment)
    with pytest.raises(Killed):
        checkout.reverse()
    _a_day_passes(provider, checkout)
    assert checkout.reverse() == {"refunded": TOTAL}
    assert provider.refunded(checkout.intent) == TOTAL
    assert provider.begun("refund", checkout.intent) == 1
    generations = len(checkout.operations(Kind.REFUND))
    assert generations == (1 if moment is Moment.AFTER else 2)


def test_a_refund_of_ours_carries_its_operation(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_success")
    checkout.charge()
    checkout.reverse()
    (refund,) = provider.get(f"/v1/refunds?payment_intent={checkout.intent}")["data"]
    (operation,) = checkout.operations(Kind.REFUND)
    assert refund["metadata"] == {"operation_id": str(operation.pk)}


def test_a_stored_500_of_the_intent_gets_a_new_key(provider: FakeProvider, stage: Stage) -> None:
    checkout = Checkout(token="tok_success")
    stage.kill("create_intent", Moment.BEFORE)
    with pytest.raises(Killed):
        checkout.charge()
    PaymentOperation.objects.using(DATABASE).filter(kind=Kind.INTENT).update(key_spent=True)
    assert checkout.charge()["charged"] == TOTAL
    assert checkout.payment.status == Status.SUCCEEDED
    assert [o.generation for o in checkout.operations(Kind.INTENT)] == [1, 2]


def test_a_provider_that_is_busy_is_left_alone_as_long_as_it_wants(provider: FakeProvider) -> None:
    checkout = Checkout(token="tok_success")
    provider.provoke("rate_limit", requests=1, retry_after=7)
    with pytest.raises(services.PaymentInDoubt) as busy:
        checkout.charge()
    assert busy.value.retry_after == 7.0
    assert checkout.charge()["charged"] == TOTAL
