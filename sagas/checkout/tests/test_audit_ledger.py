"""Our payments beside the provider's ledger, on a provider that is a process of its own."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from pytest_django import Settings

from notifications.tests.conftest import MailServer
from payments import reconciling
from payments.gateways.fake import FakeGateway
from payments.gateways.ledger import Entry
from payments.models import Payment
from payments.services import reverse_payment
from payments.tests.provider import FakeProvider
from sagas import verbs
from sagas.audit import findings, runs
from sagas.audit.runs import Scope
from sagas.auditor import Mend
from sagas.checkout.tests.auditing import Told, Vandal, audit, told
from sagas.checkout.tests.shopping import Shopper, id_of
from sagas.tests.conftest import NOBODY, deliver, drive

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

TOTAL = 2500


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-offs are due at once."""
    monkeypatch.setattr("sagas.definitions.Retry.delay_after", lambda self, attempts: 0.0)


@pytest.fixture
def provider(mortal_provider: FakeProvider) -> FakeProvider:
    """One whose ledger has this test's charges only."""
    return mortal_provider


@pytest.fixture
def paid(guest: Shopper, provider: FakeProvider, smtp: MailServer) -> UUID:
    return drive(id_of(guest.place())).pk


def one(saga_id: UUID | None, rule: str, mend: Mend = Mend.BY_HAND, amount: int = TOTAL) -> Told:
    return (rule, saga_id, amount, mend.value)


def payment_of(saga_id: UUID) -> Payment:
    return Payment.objects.using("payments").get(saga_id=saga_id)


def charge(provider: FakeProvider, payment_id: object) -> str:
    """Charge somebody past all of our code."""
    body = {"amount": TOTAL, "currency": "eur", "metadata": {"payment_id": str(payment_id)}}
    ref: str = provider.post("/v1/payment_intents", body).json()["id"]
    paid = provider.post(f"/v1/payment_intents/{ref}/confirm", {"payment_method": "tok_success"})
    paid.raise_for_status()
    return ref


def test_what_both_have_is_counted_and_fine(paid: UUID) -> None:
    assert told() == []
    assert audit().charges == 1


def test_a_charge_without_a_payment_of_ours_is_seen_and_closed_once_given_back(
    paid: UUID, provider: FakeProvider
) -> None:
    ref = charge(provider, uuid4())
    assert told() == [one(None, "charge-without-payment")]
    assert told(Scope.CHANGED) == [one(None, "charge-without-payment")]
    (finding,) = findings.open_findings()
    assert finding.what.endswith("no payment of ours: refund it in the provider's dashboard")
    provider.post("/v1/refunds", {"payment_intent": ref}).raise_for_status()
    assert told(Scope.CHANGED) == []
    assert told() == []


def test_a_second_charge_for_one_saga_is_seen_and_closed_once_given_back(
    paid: UUID, provider: FakeProvider
) -> None:
    ref = charge(provider, payment_of(paid).pk)
    assert told() == [one(paid, "charged-twice")]
    provider.post("/v1/refunds", {"payment_intent": ref}).raise_for_status()
    assert told() == []


def test_a_refund_that_only_the_provider_knows_is_seen_and_mended_by_its_verb(
    paid: UUID, provider: FakeProvider
) -> None:
    body = {"payment_intent": payment_of(paid).provider_ref}
    provider.post("/v1/refunds", body).raise_for_status()
    assert told() == [one(paid, "refunded-there-not-here", Mend.COMPENSATE)]
    verbs.compensate(paid, mandate=NOBODY, past_pivot=True)
    assert drive(paid).state == "COMPENSATED"
    assert told() == []
    assert provider.refunded(body["payment_intent"]) == TOTAL


def test_a_part_that_was_refunded_there_is_seen_and_mended_by_asking(
    paid: UUID, provider: FakeProvider
) -> None:
    """The order stands: what staff gave back in the dashboard is recorded, and nothing is undone.

    Guard: ``AuditedPayment.elsewhere`` (without it, the money that is missing is a finding, and
    its mend undoes the whole checkout).
    """
    body = {"payment_intent": payment_of(paid).provider_ref, "amount": 100}
    provider.post("/v1/refunds", body).raise_for_status()
    assert told() == [one(paid, "refunded-there-not-here", Mend.ASK, amount=100)]
    verbs.ask(paid, mandate=NOBODY)
    assert payment_of(paid).refunded == 100
    assert told() == []
    provider.post("/v1/refunds", {**body, "amount": TOTAL - 100}).raise_for_status()
    verbs.ask(paid, mandate=NOBODY)
    # Nothing is left, and the order stands: nobody has paid for it.
    assert told() == [one(paid, "money-held", Mend.COMPENSATE)]


def test_a_success_after_the_cancel_is_seen_and_mended_by_asking(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    saga_id = drive(id_of(guest.place(payment_token="tok_success_after_decline_60"))).pk
    assert told() == []
    provider.advance()
    assert told(Scope.CHANGED) == [one(saga_id, "captured-there-not-here", Mend.ASK)]
    verbs.ask(saga_id, mandate=NOBODY)
    assert told(Scope.CHANGED) == []
    assert provider.refunded(payment_of(saga_id).provider_ref) == TOTAL


def test_a_charge_whose_outcome_is_still_asked_for_is_no_finding(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    """The provider has the money, we do not know yet, and the saga goes on by itself."""
    saga_id = id_of(guest.place(payment_token="tok_late_success_60"))
    drive(saga_id, until="INVENTORY_RESERVED")
    deliver(saga_id)
    provider.advance()
    assert told() == []
    verbs.pause(saga_id, mandate=NOBODY)
    assert told() == [
        one(saga_id, "captured-there-not-here", Mend.ASK),
        one(saga_id, "waits-for-a-person", Mend.RESUME),
    ]
    assert audit().violations == 0


def test_a_refund_that_went_another_way_is_no_finding(
    guest: Shopper, provider: FakeProvider, smtp: MailServer
) -> None:
    saga_id = id_of(guest.place(payment_token="tok_refund_refused"))
    drive(saga_id, until="PAYMENT_CHARGED")
    verbs.compensate(saga_id, mandate=NOBODY, past_pivot=True)
    drive(saga_id)
    word = type(NOBODY)(operator=None, reason="by bank", reference="transfer 12")
    verbs.resolve(saga_id, mandate=word)
    assert drive(saga_id).state == "COMPENSATED"
    assert told() == []


def test_an_intent_that_the_provider_does_not_have_is_seen(paid: UUID, vandal: Vandal) -> None:
    vandal.write("payments", "UPDATE payments_payment SET provider_ref = 'pi_of_nobody'")
    assert told() == [
        one(paid, "charged-twice"),
        one(paid, "intent-unknown-there"),
    ]


@pytest.mark.parametrize("hours", [1, -1])
def test_an_intent_that_is_older_or_newer_than_its_payment_is_seen(
    paid: UUID, vandal: Vandal, hours: int
) -> None:
    vandal.write(
        "payments",
        "UPDATE payments_payment SET created_at = created_at + %s, updated_at = updated_at + %s",
        timedelta(hours=hours), timedelta(hours=hours),
    )  # fmt: skip
    assert told() == [one(paid, "intent-out-of-time")]


def test_a_provider_that_is_away_is_not_called_fine(
    paid: UUID, provider: FakeProvider, settings: Settings
) -> None:
    charge(provider, payment_of(paid).pk)
    settings.FAKE_PROVIDER_URL = "http://127.0.0.1:9"
    run = audit()
    assert (run.not_looked_at, run.violations) == (["provider"], 0)
    settings.FAKE_PROVIDER_URL = provider.url
    # Its time stood still: what was charged meanwhile is in the next window.
    assert told(Scope.CHANGED) == [one(paid, "charged-twice")]
    settings.FAKE_PROVIDER_URL = "http://127.0.0.1:9"
    audit(Scope.CHANGED)
    settings.FAKE_PROVIDER_URL = provider.url
    assert told(Scope.CHANGED) == [one(paid, "charged-twice")]


def test_what_is_older_than_a_runs_window_is_asked_for_again_and_stays_open(
    paid: UUID, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(provider, uuid4())
    charge(provider, payment_of(paid).pk)
    assert len(told()) == 2
    monkeypatch.setattr(reconciling, "SKEW", timedelta(0))
    run = runs.run(Scope.EVERYTHING, ledger=timedelta(seconds=-60))
    assert (run.charges, run.violations) == (0, 2)


def test_a_refund_that_comes_between_the_two_reads_is_no_finding(
    paid: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guard: our payment is read before the ledger too (without it, we seem to be ahead)."""
    verbs.compensate(paid, mandate=NOBODY, past_pivot=True)
    asked = FakeGateway.entry

    def entry(self: FakeGateway, *, ref: str) -> Entry | None:
        found = asked(self, ref=ref)
        # Its effect is there, and the saga's row has not moved yet.
        reverse_payment(saga_id=paid)
        return found

    monkeypatch.setattr(FakeGateway, "entry", entry)
    audit(Scope.ONE, paid)
    assert payment_of(paid).refunded == TOTAL
    assert list(findings.of_saga(paid)) == []


def test_the_ledger_is_read_span_by_span(
    guest: Shopper, provider: FakeProvider, smtp: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory holds the ids of one span: some payments, or some time."""
    monkeypatch.setattr(reconciling, "_PAGE", 1)
    monkeypatch.setattr(reconciling, "_SPAN", timedelta(milliseconds=1))
    monkeypatch.setattr(reconciling, "SKEW", timedelta(seconds=2))
    for _ in range(3):
        drive(id_of(guest.place()))
    assert told() == []
