"""A paid order is cancelled before it is shipped: all of the money goes back, the goods are free.

The order is held back first, so that it is not shipped meanwhile; that is the pivot. What follows
only goes forward, with the verbs by which a checkout is undone.
"""

from django.conf import settings

from notifications.services import MailBusy, MailRefused, MailUnavailable
from orders.services import OrderHeldBack, OrderNotConfirmed, OrderShipped
from payments.services import PaymentInDoubt, PaymentUnavailable, RefundRefused
from sagas.aftersales import steps
from sagas.aftersales.evidence import CANCELLATION as EVIDENCE
from sagas.checkout.saga import LOCAL, MUST_PASS, OUTSIDE
from sagas.definitions import NOTHING_TO_UNDO, Consequence, SagaDefinition, Step

CANCELLATION = SagaDefinition(
    kind="cancellation",
    version=1,
    deadline=settings.CHECKOUT_DEADLINE,
    steps=(
        Step(
            name="hold_order",
            do=steps.hold_order,
            undo=steps.free_order,
            reaches="ORDER_HELD",
            queue="orders",
            limits=LOCAL,
            refusals=(OrderShipped, OrderNotConfirmed, OrderHeldBack),
            pivot=True,
        ),
        Step(
            name="refund_payment",
            do=steps.refund_payment,
            undo=NOTHING_TO_UNDO,
            reaches="PAYMENT_REFUNDED",
            queue="payments",
            limits=OUTSIDE,
            refusals=(RefundRefused,),
            in_doubt=(PaymentInDoubt,),
            transient=(PaymentUnavailable,),
        ),
        Step(
            name="release_inventory",
            do=steps.release_inventory,
            undo=NOTHING_TO_UNDO,
            reaches="INVENTORY_RELEASED",
            queue="inventory",
            limits=MUST_PASS,
        ),
        Step(
            name="cancel_order",
            do=steps.cancel_order,
            undo=NOTHING_TO_UNDO,
            reaches="ORDER_CANCELLED",
            queue="orders",
            limits=MUST_PASS,
        ),
        Step(
            name="send_cancellation",
            do=steps.send_cancellation,
            undo=NOTHING_TO_UNDO,
            reaches="COMPLETE",
            queue="notifications",
            limits=OUTSIDE,
            refusals=(MailRefused,),
            transient=(MailUnavailable, MailBusy),
        ),
    ),
    consequence=Consequence(
        undoes=frozenset(
            {
                "create_order", "reserve_inventory", "charge_payment", "authorise_payment",
                "capture_payment", "confirm_order",
            }
        ),
    ),
    evidence=EVIDENCE,
)  # fmt: skip
