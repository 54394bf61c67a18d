"""Our payments beside the provider's ledger: where the two tell another story.

Read in the order in which facts come about. A payment's row is committed before its intent is
made: so the ledger is read before the rows that it is compared with, and an intent without a
row is one that we never meant. An intent's id is noted here only once it is there: so the rows
of a span of time are read before the ledger, and a noted id that the ledger lacks is a fault.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from payments import calls
from payments.gateways.ledger import Entry
from payments.gateways.port import RefundStatus
from payments.gateways.registry import gateway
from payments.models import DATABASE, Kind, OperationStatus, Payment, PaymentOperation
from sagas.participant import crash

#: How far the provider's clock and ours may differ.
SKEW = timedelta(minutes=5)
#: The shortest span of time that is read at once, since its borders are read twice.
_SPAN = timedelta(minutes=30)
#: No provider's ledger goes back further.
_EVER = datetime(2010, 1, 1, tzinfo=UTC)
#: Payments of one span, unless more of them fall into the shortest.
_PAGE = 1_000
#: No verb of ours touches a charge that is not the payment's own.
_BY_HAND = "refund it in the provider's dashboard"


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """One point in which payment and ledger differ; amounts in minor units.

    ``saga_id`` is None where the ledger has a charge and we have no payment. ``held`` is what the
    provider holds by now: captured there, and not given back.
    """

    saga_id: UUID | None
    ref: str
    rule: str
    what: str
    amount: int
    currency: str
    held: int = 0


@dataclass(kw_only=True)
class Span:
    """What a span of time holds: intents there, payments here, and which ones are suspect."""

    until: datetime
    intents: int = 0
    payments: int = 0
    suspects: list[tuple[UUID, str]] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)


class _Ours(NamedTuple):
    pk: UUID
    saga_id: UUID
    provider: str
    ref: str
    amount: int
    captured: int
    refunded: int
    currency: str
    created_at: datetime
    updated_at: datetime
    by_hand: bool


def spans(*, since: datetime | None, before: datetime) -> Iterator[Span]:
    """Page through every provider's ledger and our payments of the same time.

    What is suspect is to be looked at again, by ``disagreements_of`` and ``strangers``.

    Args:
        since, before: the window, by our clock; from the beginning if ``since`` is None.

    Raises:
        PaymentInDoubt, PaymentUnavailable, PaymentRejected: a provider does not answer.
    """
    at = since or _EVER
    while at < before:
        span = Span(until=_end_of_span(at, before))
        # All providers of a span before the next one: what was read is read up to a moment.
        for provider in settings.PAYMENT_GATEWAYS:
            _compare_span(provider, at, span, is_last=span.until >= before)
        yield span
        at = span.until


def disagreements_of(suspects: Iterable[tuple[UUID, str]]) -> list[Disagreement]:
    """Ask the provider about each of these payments alone, and compare it as it is now.

    Args:
        suspects: sagas, each with the intent's id that was suspect; empty for the payment's own.

    Raises:
        PaymentInDoubt, PaymentUnavailable, PaymentRejected: a provider does not answer.
    """
    refs: dict[UUID, set[str]] = {}
    for saga_id, ref in suspects:
        refs.setdefault(saga_id, set()).add(ref)
    return [
        said
        for saga_id, some in refs.items()
        for ours in _ours(_rows().filter(saga_id=saga_id))
        for ref in {each or ours.ref for each in some} - {""}
        for said in _disagreements_now(ours, ref)
    ]


def strangers(refs: Iterable[str]) -> list[Disagreement]:
    """Return those of these intents that hold money and belong to no payment of ours.

    Raises:
        PaymentInDoubt, PaymentUnavailable, PaymentRejected: a provider does not answer.
    """
    found = []
    for provider in settings.PAYMENT_GATEWAYS:
        for ref in refs:
            entry = _exact(provider, ref)
            if entry is not None and entry.held and not _payments_of(provider, [entry]):
                found.append(_stranger(entry))
    return found


def _end_of_span(at: datetime, before: datetime) -> datetime:
    """Return where a span ends that begins at ``at``: after a page of payments, or some time."""
    payments = Payment.objects.using(DATABASE).filter(created_at__gte=at)
    times = payments.order_by("created_at").values_list("created_at", flat=True)
    next_page = times[_PAGE : _PAGE + 1].first()
    return before if next_page is None else min(before, max(next_page, at + _SPAN))


def _compare_span(provider: str, at: datetime, span: Span, *, is_last: bool) -> None:
    within = _rows().filter(provider=provider, created_at__gte=at, created_at__lt=span.until)
    noted = within.exclude(provider_ref="").values_list("provider_ref", "saga_id")
    missing: dict[str, UUID] = dict(noted)
    span.payments += len(missing)
    with calls.asking():
        # Intents at the borders are read twice: the clocks differ.
        with crash.calling("payments.open_ledger"):
            entries = gateway(provider).entries(since=at - SKEW, before=span.until + SKEW)
        while page := _next(entries):
            ours = _payments_of(provider, page)
            for entry in page:
                missing.pop(entry.ref, None)
                span.intents += at <= entry.created and (is_last or entry.created < span.until)
                payment = ours.get(entry.ref)
                if payment is None:
                    span.strangers += [entry.ref] if entry.captured else []
                elif any(_differences(payment, entry)):
                    span.suspects.append((payment.saga_id, entry.ref))
    span.suspects += [(saga_id, ref) for ref, saga_id in missing.items()]


def _next(entries: Iterator[Entry]) -> Sequence[Entry]:
    with crash.calling("payments.read_ledger"):
        return list(islice(entries, _PAGE))


def _disagreements_now(ours: _Ours, ref: str) -> Iterator[Disagreement]:
    """Ask between two reads of our row: what was written meanwhile is not held against it.

    Amounts only grow, here and there. So what the ledger lacks must have been here before it was
    asked, and what we lack must not be here afterwards.
    """
    entry = _exact(ours.provider, ref)
    if entry is None:
        if ref == ours.ref:
            yield _said(
                ours,
                ref,
                "intent-unknown-there",
                f"the provider has no intent {ref}",
                ours.captured,
            )
        return
    before = {said.rule for said in _differences(ours, entry)}
    after = next(iter(_ours(_rows().filter(pk=ours.pk))), ours)
    yield from (said for said in _differences(after, entry) if said.rule in before)


def _differences(ours: _Ours, entry: Entry) -> Iterator[Disagreement]:
    """Yield every point in which one payment and one intent of the ledger differ."""
    if ours.ref and entry.ref != ours.ref:
        if entry.held:
            what = f"the provider holds the charge {entry.ref} beside {ours.ref}: {_BY_HAND}"
            yield _said(ours, entry.ref, "charged-twice", what, entry.held)
        return
    if not ours.ref and not entry.captured:
        return  # its id is noted here a moment later
    if (entry.amount, entry.currency) != (ours.amount, ours.currency):
        what = f"the provider's intent is over {entry.amount} {entry.currency}"
        same = entry.currency == ours.currency
        gap = abs(entry.amount - ours.amount) if same else ours.amount
        yield _said(ours, entry.ref, "intent-amount", what, gap)
    if entry.captured != ours.captured:
        where = "there-not-here" if entry.captured > ours.captured else "here-not-there"
        what = f"captured: {entry.captured} there, {ours.captured} here"
        gap = abs(entry.captured - ours.captured)
        yield _said(ours, entry.ref, f"captured-{where}", what, gap)
    # What went back outside of the provider is not in its books.
    refunded = 0 if ours.by_hand else ours.refunded
    if entry.refunded != refunded:
        where = "there-not-here" if entry.refunded > refunded else "here-not-there"
        what = f"refunded: {entry.refunded} there, {refunded} here"
        gap = abs(entry.refunded - refunded)
        said = _said(ours, entry.ref, f"refunded-{where}", what, gap)
        yield replace(said, held=entry.held)
    if not ours.created_at - SKEW <= entry.created <= ours.updated_at + SKEW:
        what = f"the provider's intent was made at {entry.created:%Y-%m-%d %H:%M:%S} UTC"
        yield _said(ours, entry.ref, "intent-out-of-time", what, entry.captured)


def _exact(provider: str, ref: str) -> Entry | None:
    """Return an intent as it is now, with the refunds that are through."""
    with calls.asking():
        with crash.calling("payments.read_entry"):
            entry = gateway(provider).entry(ref=ref)
        if entry is None or not entry.refunded:
            return entry
        with crash.calling("payments.read_refunds"):
            made = gateway(provider).refunds_of(ref=ref)
    through = sum(each.amount for each in made if each.status is RefundStatus.SUCCEEDED)
    return replace(entry, refunded=through)


def _stranger(entry: Entry) -> Disagreement:
    what = f"the provider holds the charge {entry.ref}, and there is no payment of ours"
    return Disagreement(
        saga_id=None,
        ref=entry.ref,
        rule="charge-without-payment",
        what=f"{what}: {_BY_HAND}",
        amount=entry.held,
        currency=entry.currency,
        held=entry.held,
    )


def _said(ours: _Ours, ref: str, rule: str, what: str, amount: int) -> Disagreement:
    return Disagreement(
        saga_id=ours.saga_id, ref=ref, rule=rule, what=what, amount=amount, currency=ours.currency
    )


def _payments_of(provider: str, entries: Sequence[Entry]) -> dict[str, _Ours]:
    """Return the payments of these intents by the intent's id: who noted it, else whom it names."""
    refs = [entry.ref for entry in entries]
    ids = [each for entry in entries if (each := _uuid(entry.payment_id)) is not None]
    known = _ours(_rows().filter(Q(provider=provider, provider_ref__in=refs) | Q(pk__in=ids)))
    by_ref = {ours.ref: ours for ours in known if ours.provider == provider}
    by_id = {str(ours.pk): ours for ours in known}
    found = {entry.ref: by_ref.get(entry.ref) or by_id.get(entry.payment_id) for entry in entries}
    return {ref: ours for ref, ours in found.items() if ours is not None}


def _rows() -> QuerySet[Any]:
    by_hand = PaymentOperation.objects.using(DATABASE).filter(
        payment=OuterRef("pk"),
        kind=Kind.REFUND,
        status=OperationStatus.SUCCEEDED,
        provider_ref__startswith="by hand: ",
    )
    return Payment.objects.using(DATABASE).order_by().annotate(by_hand=Exists(by_hand))


def _ours(rows: QuerySet[Any]) -> list[_Ours]:
    fields = rows.values_list(
        "pk", "saga_id", "provider", "provider_ref", "amount", "captured", "refunded", "currency",
        "created_at", "updated_at", "by_hand",
    )  # fmt: skip
    return [_Ours(*row) for row in fields]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
