"""From a posted cart to an accepted checkout: everything that can be refused is refused here."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from inventory import services as inventory
from orders import services as orders
from payments import services as payments
from sagas import operations, switches
from sagas.checkout import problems
from sagas.models import Saga, new_saga_id

KIND = "checkout"


def place(*, principal: str, idempotency_key: str, body: Mapping[str, Any]) -> Saga:
    """Accept a checkout once; the same key and body again return the same checkout.

    What the shopper posted is committed in the domains first, the saga last: a crash in
    between leaves a draft that nobody asks for, and the client's retry places the checkout.

    Args:
        principal: who posts; the idempotency key is theirs.
        idempotency_key: chosen by the client.
        body: validated by ``CheckoutBody``.

    Raises:
        CheckoutProblem: the cart cannot be served as it is, or the key is taken.
    """
    fingerprint = fingerprint_of(body)
    try:
        earlier = operations.find_request(
            kind=KIND,
            principal=principal,
            idempotency_key=idempotency_key,
            fingerprint=fingerprint,
        )
        if earlier is not None:
            return earlier
        if switches.is_closed(switches.intake_of(KIND)):
            raise problems.IntakeClosed("No new checkouts are taken just now. Nothing was charged.")
        quote = _quote(body)
        checkout_id = new_saga_id()
        orders.save_draft(
            checkout_id=checkout_id,
            principal=principal,
            email=body["email"],
            shipping_address=body["shipping_address"],
            lines=quote.lines,
            currency=quote.currency,
        )
        payments.register_method(checkout_id=checkout_id, token=body["payment_token"])
        started = operations.start(
            kind=KIND,
            saga_id=checkout_id,
            principal=principal,
            idempotency_key=idempotency_key,
            fingerprint=fingerprint,
            input={},
            amount=quote.total,
            currency=quote.currency,
        )
    except operations.KeyReused as error:
        raise problems.KeyReused("Another request was sent with this Idempotency-Key.") from error
    if not started.created:
        # An equal request was faster; what this one committed is not needed.
        orders.discard_draft(checkout_id=checkout_id)
        payments.discard_method(checkout_id=checkout_id)
    return started.saga


def fingerprint_of(body: Mapping[str, Any]) -> str:
    """Return a digest that is equal for equal bodies, whatever the order of their members."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _quote(body: Mapping[str, Any]) -> inventory.Quote:
    lines = body["lines"]
    try:
        quote = inventory.quote(lines=lines)
    except inventory.UnknownProducts as error:
        raise problems.UnknownProduct(
            "The cart has products that are not for sale.",
            errors=[
                _at(lines, sku, "This product is not for sale.", code="unknown-product")
                for sku in error.skus
            ],
        ) from error
    except inventory.MixedCurrencies as error:
        raise problems.MixedCurrencies(
            "One order has one currency; order the products of each currency alone.",
            currencies=list(error.currencies),
        ) from error
    if quote.total == 0:
        raise problems.NothingToPay("The cart costs nothing, so there is nothing to charge.")
    expected = body.get("expected_total")
    if expected is not None and expected != quote.total:
        raise problems.PriceChanged(
            "The total is not what the shopper saw.",
            expected_total=expected,
            total={"amount": quote.total, "currency": quote.currency},
        )
    if short := inventory.shortages(quote):
        _refuse_short(lines, short)
    return quote


def _refuse_short(
    lines: Sequence[inventory.CartLine], short: Sequence[inventory.Shortage]
) -> NoReturn:
    raise problems.InsufficientStock(
        "There is not enough of some products.",
        errors=[
            {
                **_at(
                    lines,
                    each.sku,
                    f"{each.wanted} wanted, {each.available} available.",
                    code="insufficient-stock",
                ),
                "available": each.available,
            }
            for each in short
        ],
    )


def _at(lines: Sequence[inventory.CartLine], sku: str, detail: str, *, code: str) -> dict[str, Any]:
    """Point at the first posted line of ``sku``."""
    index = next(n for n, line in enumerate(lines) if line["sku"] == sku)
    return {"pointer": f"#/lines/{index}/sku", "detail": detail, "code": code}
