"""What every payment provider must keep (``payments.gateways.port``).

A test module subclasses ``GatewayContract`` and gives it a gateway, and a provider behind it that
can be provoked. The tokens are those of ``tooling.fakepay``.
"""

import time
from collections.abc import Callable
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from payments.gateways.port import (
    Declined,
    DisputeStatus,
    Gateway,
    InDoubt,
    Intent,
    IntentStatus,
    RefundStatus,
    Rejected,
    UnexpectedState,
)
from payments.tests.provider import FakeProvider

AMOUNT = 1000


def new_key() -> str:
    return str(uuid4())


def opened(
    gateway: Gateway, *, payment_id: str = "", key: str = "", manual: bool = False
) -> Intent:
    """Return an intent that may be confirmed."""
    return gateway.create_intent(
        key=key or new_key(),
        payment_id=payment_id or new_key(),
        amount=AMOUNT,
        currency="EUR",
        manual_capture=manual,
    )


def paid(gateway: Gateway, token: str = "tok_success", *, manual: bool = False) -> Intent:
    """Return an intent that was confirmed."""
    return gateway.confirm(ref=opened(gateway, manual=manual).ref, key=new_key(), token=token)


class GatewayContract:
    """The contract, one promise a test."""

    def test_one_key_makes_one_intent(self, gateway: Gateway) -> None:
        payment_id, key = new_key(), new_key()
        made = [opened(gateway, payment_id=payment_id, key=key) for _ in range(2)]
        assert made[0] == made[1]
        assert made[0].status is IntentStatus.OPEN
        assert (made[0].amount, made[0].currency, made[0].captured) == (AMOUNT, "EUR", 0)
        assert made[0].payment_id == payment_id

    def test_one_key_with_another_amount_executes_nothing(self, gateway: Gateway) -> None:
        """What the key's first request came to is not said, so that it stays in doubt."""
        payment_id, key = new_key(), new_key()
        first = opened(gateway, payment_id=payment_id, key=key)
        with pytest.raises(InDoubt) as doubt:
            gateway.create_intent(key=key, payment_id=payment_id, amount=1001, currency="EUR")
        assert doubt.value.answered, "the key cannot get through any more"
        assert gateway.find(payment_id=payment_id) == first

    def test_an_intent_is_found_by_our_own_id(self, gateway: Gateway) -> None:
        payment_id = new_key()
        assert gateway.find(payment_id=payment_id) is None
        made = opened(gateway, payment_id=payment_id)
        assert gateway.find(payment_id=payment_id) == made == gateway.look_up(ref=made.ref)

    def test_a_confirm_captures_and_its_repeat_says_the_same(self, gateway: Gateway) -> None:
        ref, key = opened(gateway).ref, new_key()
        first = gateway.confirm(ref=ref, key=key, token="tok_success")
        assert (first.status, first.captured) == (IntentStatus.SUCCEEDED, AMOUNT)
        assert first.charge_ref
        assert gateway.confirm(ref=ref, key=key, token="tok_success") == first

    def test_a_second_confirm_finds_the_first(self, gateway: Gateway) -> None:
        ref = paid(gateway).ref
        with pytest.raises(UnexpectedState) as found:
            gateway.confirm(ref=ref, key=new_key(), token="tok_success")
        assert found.value.intent.status is IntentStatus.SUCCEEDED

    def test_a_decline_carries_its_code_and_can_be_looked_up(self, gateway: Gateway) -> None:
        ref, key = opened(gateway).ref, new_key()
        for _ in range(2):
            with pytest.raises(Declined) as no:
                gateway.confirm(ref=ref, key=key, token="tok_insufficient_funds")
            assert no.value.code == "insufficient_funds"
        known = gateway.look_up(ref=ref)
        assert (known.status, known.decline_code) == (IntentStatus.DECLINED, "insufficient_funds")

    def test_a_payment_method_that_is_not_there_is_a_decline(self, gateway: Gateway) -> None:
        with pytest.raises(Declined):
            paid(gateway, "tok_of_another_shop")

    def test_an_authorisation_holds_the_money_until_it_is_captured(self, gateway: Gateway) -> None:
        held = paid(gateway, manual=True)
        assert (held.status, held.captured) == (IntentStatus.AUTHORISED, 0)
        assert held.manual_capture
        key = new_key()
        taken = gateway.capture(ref=held.ref, key=key)
        assert (taken.status, taken.captured) == (IntentStatus.SUCCEEDED, AMOUNT)
        assert gateway.capture(ref=held.ref, key=key) == taken
        with pytest.raises(UnexpectedState) as found:
            gateway.capture(ref=held.ref, key=new_key())
        assert found.value.intent.captured == AMOUNT

    def test_a_cancel_voids_an_authorisation(self, gateway: Gateway) -> None:
        held = paid(gateway, manual=True)
        assert gateway.cancel(ref=held.ref, key=new_key()).status is IntentStatus.CANCELLED
        with pytest.raises(UnexpectedState) as found:
            gateway.capture(ref=held.ref, key=new_key())
        assert found.value.intent.status is IntentStatus.CANCELLED

    def test_an_authorisation_that_expired_is_not_captured(self, gateway: Gateway) -> None:
        held = paid(gateway, "tok_capture_refused", manual=True)
        with pytest.raises(UnexpectedState) as found:
            gateway.capture(ref=held.ref, key=new_key())
        assert found.value.intent.status is IntentStatus.CANCELLED

    def test_a_shopper_may_have_to_act(
        self, gateway: Gateway, provider: FakeProvider, settings: Settings
    ) -> None:
        settings.PAYMENT_RETURN_URL = "https://shop.example/back"
        waits = paid(gateway, "tok_requires_action")
        assert waits.status is IntentStatus.REQUIRES_ACTION
        assert waits.action is not None
        assert (waits.action.kind, waits.captured) == ("redirect", 0)
        assert waits.action.url.endswith(waits.ref)
        assert waits.action.client_secret.startswith(f"{waits.ref}_secret_")
        assert waits.action.client_secret not in repr(waits)
        assert gateway.look_up(ref=waits.ref) == waits
        provider.provoke(f"payment_intents/{waits.ref}/authenticate")
        done = gateway.look_up(ref=waits.ref)
        assert (done.status, done.captured, done.action) == (IntentStatus.SUCCEEDED, AMOUNT, None)

    def test_without_a_way_back_the_provider_s_script_acts(self, gateway: Gateway) -> None:
        action = paid(gateway, "tok_requires_action").action
        assert action is not None
        assert (action.kind, action.url) == ("sdk", "")

    def test_a_shopper_who_fails_to_authenticate_is_a_decline(
        self, gateway: Gateway, provider: FakeProvider
    ) -> None:
        ref = paid(gateway, "tok_requires_action").ref
        provider.provoke(f"payment_intents/{ref}/authenticate", outcome="failure")
        known = gateway.look_up(ref=ref)
        assert known.status is IntentStatus.DECLINED
        assert known.decline_code == "payment_intent_authentication_failure"

    def test_an_intent_that_waits_for_its_shopper_can_be_cancelled(self, gateway: Gateway) -> None:
        ref = paid(gateway, "tok_requires_action").ref
        assert gateway.cancel(ref=ref, key=new_key()).status is IntentStatus.CANCELLED

    def test_a_cancelled_intent_is_never_confirmed(self, gateway: Gateway) -> None:
        ref, key = opened(gateway).ref, new_key()
        first = gateway.cancel(ref=ref, key=key)
        assert first.status is IntentStatus.CANCELLED
        assert gateway.cancel(ref=ref, key=key) == first
        calls: list[Callable[[], Intent]] = [
            lambda: gateway.confirm(ref=ref, key=new_key(), token="tok_success"),
            lambda: gateway.cancel(ref=ref, key=new_key()),
        ]
        for call in calls:
            with pytest.raises(UnexpectedState) as found:
                call()
            assert found.value.intent.status is IntentStatus.CANCELLED

    def test_a_captured_intent_is_not_cancelled(self, gateway: Gateway) -> None:
        with pytest.raises(UnexpectedState) as found:
            gateway.cancel(ref=paid(gateway).ref, key=new_key())
        assert found.value.intent.captured == AMOUNT

    def test_a_refund_is_made_once_a_key_and_listed(self, gateway: Gateway) -> None:
        ref, key = paid(gateway).ref, new_key()

        def refund() -> object:
            return gateway.refund(ref=ref, key=key, amount=AMOUNT, operation_id="op-1")

        first = refund()
        assert refund() == first
        (listed,) = gateway.refunds_of(ref=ref)
        assert listed == first
        assert (listed.status, listed.amount) == (RefundStatus.SUCCEEDED, AMOUNT)
        assert listed.operation_id == "op-1"
        with pytest.raises(Rejected):
            gateway.refund(ref=ref, key=new_key(), amount=1, operation_id="op-2")

    def test_a_refund_may_be_pending_and_then_fail(
        self, gateway: Gateway, provider: FakeProvider
    ) -> None:
        ref = paid(gateway, "tok_refund_fails_600").ref
        first = gateway.refund(ref=ref, key=new_key(), amount=AMOUNT, operation_id="op-1")
        assert first.status is RefundStatus.PENDING
        provider.advance()
        (known,) = gateway.refunds_of(ref=ref)
        assert (known.ref, known.status) == (first.ref, RefundStatus.FAILED)

    def test_a_refund_of_the_dashboard_has_no_id_of_ours(
        self, gateway: Gateway, provider: FakeProvider
    ) -> None:
        ref = paid(gateway).ref
        provider.post("/v1/refunds", {"payment_intent": ref, "amount": 300}).raise_for_status()
        (known,) = gateway.refunds_of(ref=ref)
        assert (known.amount, known.operation_id) == (300, "")

    def test_disputes_are_listed(self, gateway: Gateway, provider: FakeProvider) -> None:
        ref = paid(gateway).ref
        assert list(gateway.disputes_of(ref=ref)) == []
        made = provider.provoke(f"payment_intents/{ref}/dispute")
        (opened_one,) = gateway.disputes_of(ref=ref)
        assert (opened_one.status, opened_one.amount) == (DisputeStatus.OPEN, AMOUNT)
        assert opened_one.reason == "fraudulent"
        provider.provoke(f"disputes/{made['id']}/close", status="lost")
        assert [d.status for d in gateway.disputes_of(ref=ref)] == [DisputeStatus.LOST]

    @pytest.mark.parametrize(
        ("token", "answered"),
        [("tok_500_before", True), ("tok_500_after", True), ("tok_reply_lost", False)],
    )
    def test_an_answer_that_went_wrong_is_a_doubt(
        self, gateway: Gateway, token: str, answered: bool
    ) -> None:
        with pytest.raises(InDoubt) as doubt:
            paid(gateway, token)
        assert doubt.value.answered is answered

    def test_a_stored_500_stays_the_answer_of_its_key(
        self, gateway: Gateway, provider: FakeProvider
    ) -> None:
        ref, key = opened(gateway).ref, new_key()
        for _ in range(2):
            with pytest.raises(InDoubt) as doubt:
                gateway.confirm(ref=ref, key=key, token="tok_500_before")
            assert doubt.value.answered
        assert provider.begun("confirm", ref) == 1
        again = gateway.confirm(ref=ref, key=new_key(), token="tok_500_before")
        assert again.status is IntentStatus.SUCCEEDED

    def test_a_lost_reply_is_answered_when_asked_again(self, gateway: Gateway) -> None:
        ref, key = opened(gateway).ref, new_key()
        with pytest.raises(InDoubt):
            gateway.confirm(ref=ref, key=key, token="tok_reply_lost")
        again = gateway.confirm(ref=ref, key=key, token="tok_reply_lost")
        assert again.status is IntentStatus.SUCCEEDED
        assert gateway.look_up(ref=ref) == again

    def test_a_time_out_is_a_doubt_and_so_is_a_key_in_flight(
        self, gateway: Gateway, provider: FakeProvider, settings: Settings
    ) -> None:
        settings.PAYMENT_READ_TIMEOUT = 0.2
        ref, key = opened(gateway).ref, new_key()
        begun = time.monotonic()
        for code in ("no-answer", "provider-busy"):
            with pytest.raises(InDoubt, match=code) as doubt:
                gateway.confirm(ref=ref, key=key, token="tok_slow_600")
            assert not doubt.value.answered
        assert time.monotonic() - begun < 5
        provider.advance()

    def test_too_many_requests_are_told_when_to_come_back(
        self, gateway: Gateway, provider: FakeProvider
    ) -> None:
        provider.provoke("rate_limit", requests=1, retry_after=7)
        with pytest.raises(InDoubt) as busy:
            opened(gateway)
        assert (busy.value.retry_after, busy.value.answered) == (7.0, False)
        assert opened(gateway).status is IntentStatus.OPEN

    def test_a_key_outlives_its_horizon_at_the_provider(
        self, gateway: Gateway, provider: FakeProvider
    ) -> None:
        payment_id, key = new_key(), new_key()
        made = opened(gateway, payment_id=payment_id, key=key)
        provider.provoke("advance", seconds=gateway.key_horizon.total_seconds())
        assert opened(gateway, payment_id=payment_id, key=key) == made
