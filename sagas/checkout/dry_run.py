"""Dry runs: which calls a verb would make on a checkout, with which amounts, SKUs and keys."""

from collections.abc import Callable, Sequence
from uuid import UUID

from inventory import services as inventory
from inventory.models import Status as ReservationStatus
from notifications import services as notifications
from orders import services as orders
from payments import services as payments
from sagas.evidence import Call, CallState


def calls_of(saga_id: UUID, *, steps: Sequence[str], undo: bool) -> list[Call]:
    """Return the calls of ``steps`` in this order, read from the domains; nothing is changed."""
    table = _UNDO if undo else _DO
    return [call for step in steps for call in table[step](saga_id)]


def _make_order(saga_id: UUID) -> list[Call]:
    made = orders.summaries(saga_ids=[saga_id]).get(saga_id)
    what = f"order {made.number}" if made else "a new order, PENDING"
    return [Call(system="orders", what=f"create {what}", state=_state(done=made is not None))]


def _cancel_order(saga_id: UUID) -> list[Call]:
    made = orders.summaries(saga_ids=[saga_id]).get(saga_id)
    if made is None:
        what, state = "no order was made; none will be from now on", CallState.WILL_BE_MADE
    else:
        what, state = f"cancel order {made.number}", _state(done=made.status == "CANCELLED")
    return [Call(system="orders", what=what, state=state)]


def _hold_stock(saga_id: UUID) -> list[Call]:
    held = inventory.holdings(saga_id=saga_id)
    if held:
        return [
            Call(
                system="inventory", what=f"hold {each.quantity} x {each.sku}", state=CallState.DONE
            )
            for each in held
        ]
    basket = orders.basket_of(checkout_id=saga_id)
    return [
        Call(system="inventory", what=f"hold {line.quantity} x {line.sku}") for line in basket.lines
    ]


def _release_stock(saga_id: UUID) -> list[Call]:
    held = inventory.holdings(saga_id=saga_id)
    if not held:
        return [Call(system="inventory", what="nothing is held; nothing will be from now on")]
    return [
        Call(
            system="inventory",
            what=f"release {each.quantity} x {each.sku}",
            state=_state(done=each.status != ReservationStatus.HELD),
        )
        for each in held
    ]


def _charge(saga_id: UUID) -> list[Call]:
    payment = payments.standing_of(saga_id=saga_id)
    if payment is None:
        basket = orders.basket_of(checkout_id=saga_id)
        return [
            Call(
                system="provider",
                what="create an intent and charge it",
                amount=basket.total,
                currency=basket.currency,
            )
        ]
    return [
        Call(
            system="provider",
            what="ask how the payment stands, and charge what is left",
            amount=payment.amount - payment.captured,
            currency=payment.currency,
            key="" if payment.captured else payment.next_keys["charge"],
            state=_state(done=payment.captured > 0),
        )
    ]


def _authorise(saga_id: UUID) -> list[Call]:
    payment = payments.standing_of(saga_id=saga_id)
    if payment is None:
        basket = orders.basket_of(checkout_id=saga_id)
        what, amount, currency = "create an intent", basket.total, basket.currency
        return [_ask_bank(f"{what} and let the bank hold the money", amount, currency)]
    done = payment.authorised + payment.captured > 0
    key = "" if done else payment.next_keys["charge"]
    what = "ask how the payment stands, and let the bank hold what is left"
    return [_ask_bank(what, payment.amount, payment.currency, key=key, done=done)]


def _capture(saga_id: UUID) -> list[Call]:
    payment = payments.standing_of(saga_id=saga_id)
    if payment is None:
        return [Call(system="provider", what="nothing is authorised yet that could be captured")]
    done = payment.captured > 0
    key = "" if done else payment.next_keys["capture"]
    what = "ask how the payment stands, and capture what the bank holds"
    return [_ask_bank(what, payment.amount, payment.currency, key=key, done=done)]


def _ask_bank(what: str, amount: int, currency: str, *, key: str = "", done: bool = False) -> Call:
    return Call(
        system="provider",
        what=what,
        amount=amount,
        currency=currency,
        key=key,
        state=_state(done=done),
    )


def _give_back(saga_id: UUID) -> list[Call]:
    payment = payments.standing_of(saga_id=saga_id)
    if payment is None:
        return [Call(system="provider", what="no charge was begun; none will be from now on")]
    if payment.captured:
        return [
            Call(
                system="provider",
                what=f"refund the charge of {payment.provider_ref}",
                amount=payment.captured - payment.refunded or payment.captured,
                currency=payment.currency,
                key="" if payment.refunded == payment.captured else payment.next_keys["refund"],
                state=_state(done=payment.refunded == payment.captured),
            )
        ]
    if payment.authorised and not payment.in_doubt:
        return [
            Call(
                system="provider",
                what=f"void the authorisation of {payment.provider_ref}, without a fee",
                amount=payment.authorised,
                currency=payment.currency,
                key=payment.next_keys["cancel"],
            )
        ]
    return [
        Call(
            system="provider",
            what="ask how the payment stands; refund what was captured, else cancel the intent",
            amount=payment.amount if payment.in_doubt else 0,
            currency=payment.currency,
            key="" if payment.status == "CANCELLED" else payment.next_keys["cancel"],
            state=_state(done=payment.status == "CANCELLED"),
        )
    ]


def _confirm_order(saga_id: UUID) -> list[Call]:
    made = orders.summaries(saga_ids=[saga_id]).get(saga_id)
    done = made is not None and made.status == "CONFIRMED"
    number = made.number if made else "that is not there yet"
    return [Call(system="orders", what=f"confirm order {number}", state=_state(done=done))]


def _mail(kind: str) -> Callable[[UUID], list[Call]]:
    def call(saga_id: UUID) -> list[Call]:
        mails = [mail for mail in notifications.messages_of(saga_id=saga_id) if mail.kind == kind]
        sent = any(mail.status == "SENT" for mail in mails)
        key = mails[0].message_id if mails else ""
        return [Call(system="mail", what=f"send the {kind}", state=_state(done=sent), key=key)]

    return call


def _state(*, done: bool) -> CallState:
    return CallState.DONE if done else CallState.WILL_BE_MADE


_DO = {
    "create_order": _make_order,
    "reserve_inventory": _hold_stock,
    "charge_payment": _charge,
    "authorise_payment": _authorise,
    "capture_payment": _capture,
    "confirm_order": _confirm_order,
    "send_confirmation": _mail("confirmation"),
    "send_apology": _mail("apology"),
}
_UNDO = {
    "create_order": _cancel_order,
    "reserve_inventory": _release_stock,
    "charge_payment": _give_back,
    "authorise_payment": _give_back,
}
