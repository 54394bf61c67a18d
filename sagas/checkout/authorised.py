"""THE SAME STORY where the bank holds the money first, and it is taken once the order stands.

The confirmed order is the pivot here: up to it an undo voids the authorisation, and the shopper
never sees a charge. What runs after it only goes forward, the capture too.

| step              | undo              | reaches            |
|-------------------|-------------------|--------------------|
| create_order      | cancel_order      | ORDER_CREATED      |
| reserve_inventory | release_inventory | INVENTORY_RESERVED |
| authorise_payment | void_payment      | PAYMENT_AUTHORISED |
| confirm_order     | none; the pivot   | ORDER_CONFIRMED    |
| capture_payment   | none              | PAYMENT_CAPTURED   |
| send_confirmation | none              | COMPLETE           |
"""

from dataclasses import replace

from payments.services import AuthorisationLost, NothingAuthorised
from sagas.checkout import saga, steps
from sagas.definitions import NOTHING_TO_UNDO

_CREATE, _RESERVE, _CHARGE, _CONFIRM, _SEND = saga.CHECKOUT.steps

CHECKOUT = replace(
    saga.CHECKOUT,
    version=2,
    steps=(
        _CREATE,
        _RESERVE,
        replace(
            _CHARGE,
            name="authorise_payment",
            do=steps.authorise_payment,
            undo=steps.void_payment,
            reaches="PAYMENT_AUTHORISED",
            pivot=False,
        ),
        replace(_CONFIRM, pivot=True),
        replace(
            _CHARGE,
            name="capture_payment",
            do=steps.capture_payment,
            undo=NOTHING_TO_UNDO,
            reaches="PAYMENT_CAPTURED",
            refusals=(AuthorisationLost, NothingAuthorised),
            waits=(),
            pivot=False,
            takes_money=True,
            joins=True,
        ),
        _SEND,
    ),
)
