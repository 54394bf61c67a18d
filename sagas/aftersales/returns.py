"""A part of a paid order is paid back, by lines or by an amount; the order stands.

The refund is the pivot: before it the return can be withdrawn, after it the shopper has the money.
Where the provider's word comes too late, and the money went back while the return was being
withdrawn, the units stay returned.
"""

from django.conf import settings

from notifications.services import MailBusy, MailRefused, MailUnavailable
from orders.services import OrderNotConfirmed, ReturnedBefore
from payments.services import (
    NotRefundable,
    PaymentInDoubt,
    PaymentUnavailable,
    RefundPending,
    RefundRefused,
)
from sagas.aftersales import steps
from sagas.aftersales.evidence import RETURN as EVIDENCE
from sagas.checkout.saga import LOCAL, MUST_PASS, OUTSIDE
from sagas.definitions import NOTHING_TO_UNDO, Consequence, SagaDefinition, Step

RETURN = SagaDefinition(
    kind="return",
    version=1,
    deadline=settings.RETURN_DEADLINE,
    steps=(
        Step(
            name="open_return",
            do=steps.open_return,
            undo=steps.withdraw_return,
            reaches="RETURN_OPENED",
            queue="orders",
            limits=LOCAL,
            refusals=(OrderNotConfirmed, ReturnedBefore),
        ),
        Step(
            name="refund_part",
            do=steps.refund_part,
            undo=steps.stop_refund,
            reaches="PART_REFUNDED",
            queue="payments",
            limits=OUTSIDE,
            refusals=(NotRefundable, RefundRefused),
            in_doubt=(PaymentInDoubt,),
            waits=(RefundPending,),
            transient=(PaymentUnavailable,),
            pivot=True,
        ),
        Step(
            name="close_return",
            do=steps.close_return,
            undo=NOTHING_TO_UNDO,
            reaches="RETURN_CLOSED",
            queue="orders",
            limits=MUST_PASS,
        ),
        Step(
            name="send_refund_notice",
            do=steps.send_refund_notice,
            undo=NOTHING_TO_UNDO,
            reaches="COMPLETE",
            queue="notifications",
            limits=OUTSIDE,
            refusals=(MailRefused,),
            transient=(MailUnavailable, MailBusy),
        ),
    ),
    consequence=Consequence(gives_back=True),
    evidence=EVIDENCE,
)
