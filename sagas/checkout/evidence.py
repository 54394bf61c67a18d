"""What the four domains say of a checkout: the verdict, the list's facts, dry runs, evidence."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

import structlog
from django.core.cache import cache
from django.db import Error as DatabaseError
from django.urls import reverse
from django.utils import timezone

from inventory import services as inventory
from inventory.models import Status as ReservationStatus
from notifications import services as notifications
from orders import services as orders
from payments import services as payments
from sagas.checkout.dry_run import calls_of
from sagas.checkout.sentence import sentence_of
from sagas.evidence import (
    Call,
    CannotAsk,
    Facts,
    Held,
    Link,
    Mail,
    NotConfirmed,
    Unknown,
    Verdict,
)

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Seconds for which it is remembered when a source answered last.
_REMEMBERED = 24 * 3600


class CheckoutEvidence:
    """Keeps ``sagas.evidence.Evidence`` for checkouts."""

    def verdict(self, saga_id: UUID, *, state: str, reason: str) -> Verdict:
        """Read what the domains hold; sources that do not answer are named, never raised."""
        unknown: list[Unknown] = []
        order = ask("orders", unknown, lambda: orders.summaries(saga_ids=[saga_id]).get(saga_id))
        held = ask("inventory", unknown, lambda: _stock_of(saga_id))
        payment = ask("payments", unknown, lambda: payments.standing_of(saga_id=saga_id))
        mails = ask("notifications", unknown, lambda: mails_of(saga_id))
        silent = {each.source for each in unknown}
        in_doubt = payment is not None and payment.in_doubt
        if payment is not None and payment.in_doubt:
            unknown.append(Unknown(source="provider", last_answer_at=payment.updated_at))
        money_is_known = "payments" not in silent
        verdict = Verdict(
            currency=payment.currency if payment else "",
            charged=payment.captured if payment else 0 if money_is_known else None,
            refunded=payment.refunded if payment else 0 if money_is_known else None,
            authorised=payment.authorised if payment else 0,
            disputed=payment.disputed if payment else 0,
            in_doubt=in_doubt,
            payment=str(payment.status) if payment else None,
            provider_ref=payment.provider_ref if payment else "",
            stock=held,
            order_number=order.number if order else None,
            order_status=str(order.status) if order else "" if "orders" not in silent else None,
            mails=mails,
            unknown=unknown,
            sentence="",
            links=_links(saga_id, order, payment),
        )
        return sentence_of(verdict, state=state, reason=reason)

    def facts(self, saga_ids: Sequence[UUID]) -> Mapping[UUID, Facts]:
        """Return the row of each saga, with one query a domain."""
        unknown: list[Unknown] = []
        numbers = ask("orders", unknown, lambda: orders.summaries(saga_ids=saga_ids))
        money = ask("payments", unknown, lambda: payments.standings(saga_ids=saga_ids))
        units = ask("inventory", unknown, lambda: inventory.units_held(saga_ids=saga_ids))
        rows = {}
        for saga_id in saga_ids:
            order = (numbers or {}).get(saga_id)
            paid = None if money is None else money.get(saga_id, payments.Money())
            rows[saga_id] = Facts(
                order_number=order.number if order else "",
                shopper=order.shopper if order else "",
                charged=paid.captured if paid else None,
                refunded=paid.refunded if paid else None,
                in_doubt=bool(paid and paid.in_doubt),
                units_held=None if units is None else units.get(saga_id, 0),
            )
        return rows

    def find(self, text: str) -> Sequence[UUID]:
        """Return the sagas that ``text`` is an order number, e-mail or provider reference of."""
        found = dict.fromkeys(orders.sagas_of(text=text))
        found.update(dict.fromkeys(payments.sagas_with_ref(provider_ref=text)))
        return list(found)

    def calls(self, saga_id: UUID, *, steps: Sequence[str], undo: bool) -> Sequence[Call]:
        """Return what doing, or undoing, ``steps`` in this order would do now."""
        return calls_of(saga_id, steps=steps, undo=undo)

    def ask(self, saga_id: UUID) -> str:
        """Let the provider say how the payment stands, record it, and say it in words."""
        payment = payments.standing_of(saga_id=saga_id)
        if payment is None:
            raise CannotAsk("no payment was begun, so there is nothing to ask about")
        try:
            status = payments.settle(payment_id=payment.payment_id)
        except (
            payments.PaymentInDoubt,
            payments.PaymentUnavailable,
            payments.PaymentRejected,
        ) as silence:
            raise CannotAsk(f"the provider cannot say: {silence}") from silence
        except payments.ProviderDisagrees as contradiction:
            raise CannotAsk(f"nothing was recorded: {contradiction}") from contradiction
        except payments.RefundRefused as no:
            return f"the provider refuses the refund: {no}"
        return f"the provider says: the payment is {status.label.lower()}"

    def mail_again(self, saga_id: UUID) -> str:
        """Send the saga's last mail once more, under the same Message-ID."""
        try:
            sent = notifications.send_again(saga_id=saga_id)
        except (
            notifications.MessageMissing,
            notifications.MailUnavailable,
            notifications.MailRefused,
        ) as no:
            raise CannotAsk(f"the mail was not sent: {no}") from no
        return f"the {sent.kind.value} was sent again as {sent.message_id}"

    def resolve(self, saga_id: UUID, *, step: str, undo: bool, reference: str) -> None:
        """Check, and if need be record, that ``step`` was done (or undone) by hand."""
        if undo and step in ("charge_payment", "authorise_payment"):
            try:
                payments.refund_by_hand(saga_id=saga_id, reference=reference)
            except (
                payments.NotByHand,
                payments.PaymentInDoubt,
                payments.PaymentUnavailable,
            ) as no:
                raise NotConfirmed(f"the payment cannot be settled by hand: {no}") from no
            return
        if fault := _contradiction(saga_id, step=step, undo=undo):
            raise NotConfirmed(fault)


CHECKOUT = CheckoutEvidence()


def _contradiction(saga_id: UUID, *, step: str, undo: bool) -> str:
    """Return what the domain says against it, empty if it agrees."""
    order = orders.summaries(saga_ids=[saga_id]).get(saga_id)
    match step, undo:
        case "reserve_inventory", True:
            held = inventory.units_held(saga_ids=[saga_id]).get(saga_id, 0)
            return f"{held} units are still held" if held else ""
        case "create_order", True:
            cancelled = order is None or order.status == "CANCELLED"
            return "" if cancelled else f"order {order.number} is {order.status}"  # type: ignore[union-attr]
        case "capture_payment", False:
            captured = payments.money_of(saga_id=saga_id).captured
            return "" if captured else "nothing is captured"
        case "confirm_order", False:
            confirmed = order is not None and order.status == "CONFIRMED"
            return "" if confirmed else "the order is not confirmed"
        case "send_confirmation", False:
            return ""  # that a person told the shopper is not in any database
    return f"{step} cannot be settled by hand"


def ask(source: str, unknown: list[Unknown], question: Callable[[], T]) -> T | None:
    """Return a source's answer; when it does not answer, note since when, and return None."""
    key = f"answered:{source}"
    try:
        answer = question()
    except DatabaseError as error:
        log.warning("source_does_not_answer", source=source, error=type(error).__name__)
        unknown.append(Unknown(source=source, last_answer_at=cache.get(key)))
        return None
    cache.set(key, timezone.now(), _REMEMBERED)
    return answer


def _stock_of(saga_id: UUID) -> list[Held]:
    return [
        Held(
            sku=each.sku,
            quantity=each.quantity,
            released=each.status != ReservationStatus.HELD,
        )
        for each in inventory.holdings(saga_id=saga_id)
    ]


def mails_of(saga_id: UUID) -> list[Mail]:
    """Return the mails of one saga, as the console shows them."""
    return [
        Mail(
            kind=mail.kind.value,
            status=mail.status.value,
            attempts=mail.attempts,
            at=mail.sent_at or mail.created_at,
            last_error=mail.last_error,
        )
        for mail in notifications.messages_of(saga_id=saga_id)
    ]


def _links(
    saga_id: UUID, order: orders.Summary | None, payment: payments.PaymentStanding | None
) -> list[Link]:
    links = []
    if order is not None:
        url = reverse("admin:orders_order_change", args=[order.order_id])
        links.append(Link(label=f"Order {order.number}", url=url))
    if payment is not None:
        url = reverse("admin:payments_payment_change", args=[payment.payment_id])
        links.append(Link(label="Payment", url=url))
    for label, name in (
        ("Reservation", "inventory_reservation"),
        ("Mails", "notifications_message"),
    ):
        links.append(Link(label=label, url=f"{reverse(f'admin:{name}_changelist')}?q={saga_id}"))
    return links
