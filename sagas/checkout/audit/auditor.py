"""Reads four domains and the provider's ledger, and lets the rules compare them with the claims."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.db import Error as DatabaseError

from inventory import services as inventory
from notifications import services as notifications
from orders import services as orders
from payments import services as payments
from sagas.auditor import Claim, Fault, Seen, Suspects
from sagas.checkout.audit import belonging, ledger, rules
from sagas.participant.among import Among, SagaKey, clock

log = structlog.get_logger(__name__)

T = TypeVar("T")

KIND = "checkout"

_Touched = Callable[..., Iterator[Sequence[UUID]]]
_TOUCHED: Mapping[str, _Touched] = {
    rules.ORDERS: orders.touched_orders,
    rules.INVENTORY: inventory.touched_reservations,
    rules.PAYMENTS: payments.touched_payments,
    rules.NOTIFICATIONS: notifications.touched_mails,
}
_AWAY = (payments.PaymentInDoubt, payments.PaymentUnavailable, payments.PaymentRejected)


class CheckoutAuditor:
    """Keeps ``sagas.auditor.Auditor`` for checkouts, whose domains all others use too."""

    sources: Sequence[str] = tuple(_TOUCHED)
    ledgers: Sequence[str] = (ledger.PROVIDER,)

    def look(self, claims: Mapping[SagaKey, Claim], among: Among) -> Seen:
        """Read the domains' rows among these sagas and compare them with the claims."""
        seen = Seen()
        mine = [claim for claim in claims.values() if claim.kind == KIND]
        rows = _Rows(among, claims, seen)
        made = rows.read(rules.ORDERS, orders.audited_orders, belonging.order_of_nobody)
        held = rows.read(rules.INVENTORY, inventory.audited_reservations, belonging.stock_of_nobody)
        paid = rows.read(rules.PAYMENTS, payments.audited_payments, belonging.payment_of_nobody)
        mails = rows.mails()
        rows.lone_receipts()
        seen.faults += chain(
            _each(mine, rules.order_faults, made),
            _each(mine, rules.stock_faults, held),
            _each(mine, rules.goods_faults, made, held),
            _each(mine, rules.money_faults, paid),
            _each(mine, rules.paid_faults, made, paid),
            _each(mine, rules.mail_faults, *mails),
        )
        return seen

    def look_outside(self, claims: Mapping[SagaKey, Claim], suspects: Suspects) -> Seen:
        """Ask the provider about each of these alone, as it is now."""
        mine = [(saga_id, ref) for saga_id, ref in suspects if str(saga_id) in claims]
        seen = Seen()
        said = _ask(ledger.PROVIDER, seen, lambda: payments.disagreements_of(mine)) or []
        faults = (
            ledger.ledger_fault(claims[str(each.saga_id)], each)
            for each in said
            if each.saga_id is not None
        )
        seen.faults += filter(None, faults)
        return seen

    def totals(self) -> Seen:
        """Check that the shelf agrees with the reservations."""
        seen = Seen()
        counts = _ask(rules.INVENTORY, seen, inventory.miscounts) or []
        seen.faults += map(rules.miscount_fault, counts)
        return seen

    def clock(self, source: str) -> datetime:
        """Return the time of a domain's database."""
        return clock(source)

    def touched(
        self, source: str, *, since: datetime, before: datetime
    ) -> Iterator[Sequence[UUID]]:
        """Yield the sagas whose rows a domain has written in that span of its time."""
        return _TOUCHED[source](since=since, before=before)

    def outside(
        self, *, since: datetime | None, before: datetime | None = None, seen: Seen
    ) -> Iterator[Suspects]:
        """Page through the provider's ledger beside our payments of the same time."""
        try:
            until = before or clock(rules.PAYMENTS)
            for span in payments.spans(since=since, before=until):
                seen.charges += span.intents
                seen.payments += span.payments
                self.look_at_strangers(span.strangers, seen)
                yield span.suspects
                if ledger.PROVIDER not in seen.silent:
                    seen.reached = span.until
        except (*_AWAY, DatabaseError) as error:
            _note_silence(ledger.PROVIDER, seen, error)

    def look_at_strangers(self, subjects: Sequence[str], seen: Seen) -> None:
        """Look again at charges that no payment of ours was found for."""
        found = _ask(ledger.PROVIDER, seen, lambda: payments.strangers(subjects)) or []
        seen.faults += map(ledger.stranger_fault, found)


CHECKOUT = CheckoutAuditor()


class _Rows:
    """Rows of the domains by saga; those without a saga, and doubled ones, are faults."""

    def __init__(self, among: Among, claims: Mapping[SagaKey, Claim], seen: Seen) -> None:
        self._among, self._claims, self._seen = among, claims, seen

    def read(
        self, source: str, read: Callable[..., list[T]], of_nobody: Callable[[T], Fault]
    ) -> Mapping[SagaKey, T] | None:
        """Return a domain's rows by saga; None if it does not answer."""
        rows = _ask(source, self._seen, partial(read, among=self._among))
        return None if rows is None else self._by_saga(source, rows, of_nobody)

    def mails(self) -> tuple[Mapping[SagaKey, Any] | None, Mapping[SagaKey, Any] | None]:
        """Return the confirmations and the apologies by saga."""
        source = rules.NOTIFICATIONS
        mails = _ask(source, self._seen, partial(notifications.audited_mails, among=self._among))
        if mails is None:
            return None, None
        confirmations = [mail for mail in mails if mail.kind == "confirmation"]
        apologies = [mail for mail in mails if mail.kind != "confirmation"]
        return (
            self._by_saga(source, confirmations, belonging.mail_of_nobody),
            self._by_saga(source, apologies, belonging.mail_of_nobody),
        )

    def lone_receipts(self) -> None:
        """A receipt belongs to a saga, also where it is a tombstone and nothing was done."""
        for source, domain in _RECEIPTS.items():
            lone = _ask(source, self._seen, partial(domain, among=self._among)) or []
            self._seen.faults += (
                belonging.receipt_of_nobody(source, saga_id)
                for saga_id in set(lone) - self._claims.keys()
            )

    def _by_saga(
        self, source: str, rows: Iterable[T], of_nobody: Callable[[T], Fault]
    ) -> Mapping[SagaKey, T]:
        found: dict[SagaKey, T] = {}
        for row in rows:
            saga_id: SagaKey = row[0]  # type: ignore[index]
            if found.setdefault(saga_id, row) is not row:
                claim = self._claims.get(saga_id)
                self._seen.faults.append(belonging.doubled(source, saga_id, claim))
        self._seen.faults += (of_nobody(found[each]) for each in found.keys() - self._claims.keys())
        return found


_RECEIPTS: Mapping[str, Callable[..., list[SagaKey]]] = {
    rules.ORDERS: orders.lone_receipts,
    rules.INVENTORY: inventory.lone_receipts,
    rules.PAYMENTS: payments.lone_receipts,
    rules.NOTIFICATIONS: notifications.lone_receipts,
}


def _each(
    claims: Sequence[Claim],
    rule: Callable[..., Iterator[Fault]],
    *rows: Mapping[SagaKey, Any] | None,
) -> Iterator[Fault]:
    """Apply a rule to every claim, unless a domain that it needs is away."""
    known = [each for each in rows if each is not None]
    if len(known) < len(rows):
        return iter(())
    # No loop in Python: this is done for every saga and every rule.
    keys = [claim.saga_id for claim in claims]
    return chain.from_iterable(map(rule, claims, *(map(each.get, keys) for each in known)))


def _ask(source: str, seen: Seen, question: Callable[[], T]) -> T | None:
    """Return a source's answer; note its silence and return None when it does not answer."""
    try:
        return question()
    except (*_AWAY, DatabaseError) as error:
        _note_silence(source, seen, error)
        return None


def _note_silence(source: str, seen: Seen, error: Exception) -> None:
    log.warning("audit_source_does_not_answer", source=source, error=type(error).__name__)
    seen.silent.add(source)
