"""Whatever the order of replies, webhooks, crashes and the shopper's acts: the money adds up.

Each example plays a sequence that hypothesis makes up on one payment, then lets everything come to
rest as the saga would, and compares our books with the provider's.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db.models.functions import Now
from hypothesis import HealthCheck, given, note
from hypothesis import settings as examples
from hypothesis import strategies as st

from payments import events, services
from payments.models import DATABASE, Payment, ProviderEvent, Status
from payments.tests.checkout import TOTAL, Checkout
from payments.tests.provider import FakeProvider
from payments.tests.staging import Killed, Moment, Stage
from sagas.participant.receipts import AlreadyCompensated

pytestmark = pytest.mark.django_db(databases=["default", DATABASE], transaction=True)

TOKENS = [
    "tok_success",
    "tok_declined",
    "tok_reply_lost",
    "tok_500_before",
    "tok_500_after",
    "tok_requires_action",
    "tok_requires_action_declined",
    "tok_requires_action_reply_lost",
    "tok_late_success_600",
    "tok_late_decline_600",
    "tok_success_after_decline_600",
    "tok_success_after_cancel_600",
    "tok_capture_reply_lost",
    "tok_capture_500_once",
    "tok_cancel_reply_lost",
    "tok_refund_reply_lost",
    "tok_refund_late_600",
]
#: What a step of the saga may end with; anything else is a fault.
EXPECTED = (
    AlreadyCompensated,
    Killed,
    services.AuthorisationLost,
    services.CardDeclined,
    services.NothingAuthorised,
    services.PaymentInDoubt,
    services.PaymentNeedsAction,
    services.RefundRefused,
)
CALLS = ["create_intent", "confirm", "capture", "cancel", "refund"]

acts = st.one_of(
    st.sampled_from(
        ["forward", "capture", "undo", "event", "stale event", "shopper", "shopper fails",
         "bank", "sweep", "settle"]
    ),
    st.tuples(st.sampled_from(CALLS), st.sampled_from(list(Moment))),
)  # fmt: skip


class Play:
    """One payment, and everything that can happen to it."""

    def __init__(self, provider: FakeProvider, stage: Stage, token: str, *, by_hand: bool) -> None:
        self.provider, self.stage, self.by_hand = provider, stage, by_hand
        self.checkout = Checkout(token=token)

    def act(self, what: str) -> None:
        table: dict[str, Callable[[], object]] = {
            "forward": self.checkout.authorise if self.by_hand else self.checkout.charge,
            "capture": self.checkout.capture if self.by_hand else self.checkout.charge,
            "undo": self.checkout.reverse,
            "event": self.event,
            "stale event": lambda: self.event(kind="payment_intent.created"),
            "shopper": lambda: self.shopper("success"),
            "shopper fails": lambda: self.shopper("failure"),
            "bank": self.provider.advance,
            "sweep": self.sweep,
            "settle": self.settle,
        }
        with suppress(*EXPECTED):
            table[what]()

    @property
    def payment(self) -> Payment | None:
        rows = Payment.objects.using(DATABASE).filter(saga_id=self.checkout.saga_id)
        return rows.first()

    def intents(self) -> list[str]:
        """Return the provider's intents of this payment, whether we know them or not."""
        known = str(self.payment.pk) if self.payment else "none"
        everything = self.provider.get("/v1/ledger")["intents"]
        return [i["id"] for i in everything if i["metadata"].get("payment_id") == known]

    def event(self, kind: str = "payment_intent.succeeded") -> None:
        """Deliver a verified event about each intent, and process it."""
        for intent in self.intents():
            row = ProviderEvent.objects.using(DATABASE).create(
                provider="fake",
                event_id=f"evt_{uuid4().hex}",
                kind=kind,
                intent_ref=intent,
                told_at=datetime.now(tz=UTC),
            )
            events.process(row.pk)

    def shopper(self, outcome: str) -> None:
        for intent in self.intents():
            path = f"/v1/test_helpers/payment_intents/{intent}/authenticate"
            self.provider.post(path, {"outcome": outcome})

    def sweep(self) -> None:
        Payment.objects.using(DATABASE).filter(next_check_at__isnull=False).update(
            next_check_at=Now()
        )
        services.sweep_late_successes(limit=10)

    def settle(self) -> None:
        if self.payment:
            services.settle(payment_id=self.payment.pk)

    def rest(self, *, undone: bool) -> None:
        """Let the saga come to its end, as its retries and the sweep would."""
        self.stage.cues.clear()
        for _ in range(6):
            self.provider.advance()
            self.act("undo" if undone else "forward")
            if self.by_hand and not undone:
                self.act("capture")
            self.event()
            self.sweep()


@examples(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    token=st.sampled_from(TOKENS),
    by_hand=st.booleans(),
    undone=st.booleans(),
    played=st.lists(acts, max_size=7),
)
def test_our_books_and_the_provider_s_agree_in_the_end(
    *,
    provider: FakeProvider,
    stage: Stage,
    token: str,
    by_hand: bool,
    undone: bool,
    played: list[str | tuple[str, Moment]],
) -> None:
    note(f"{token=} {by_hand=} {undone=} {played=}")
    play = Play(provider, stage, token, by_hand=by_hand)
    for act in played:
        if isinstance(act, tuple):
            stage.kill(*act)
        else:
            play.act(act)
    play.rest(undone=undone)

    captures = [c for ref in play.intents() for c in provider.captures(ref)]
    refunded = sum(provider.refunded(ref) for ref in play.intents())
    money = play.checkout.money
    assert len(captures) <= 1, "charged twice"
    assert (money.captured, money.refunded) == (sum(c["amount"] for c in captures), refunded)
    if undone:
        assert money.captured == money.refunded, "money was kept"
        assert play.payment is None or play.payment.status in (Status.CANCELLED, Status.REFUNDED)
    elif play.payment and play.payment.status == Status.SUCCEEDED:
        assert (money.captured, money.refunded) == (TOTAL, 0)
