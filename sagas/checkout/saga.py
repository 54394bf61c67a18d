"""THE STORY. A checkout either completes or is made good.

Read it top down: each row is a step, its undo, and the state that it reaches. The charge is
the pivot: before it everything can be taken back, after it the saga only goes forward. Where
CHARGE_MODE is ``authorise``, new checkouts run ``sagas.checkout.authorised`` instead.
"""

from dataclasses import replace

from django.conf import settings

from inventory.services import OutOfStock
from notifications.services import MailBusy, MailRefused, MailUnavailable
from orders.services import DraftMissing, OrderNotPending
from payments.services import (
    CardDeclined,
    PaymentInDoubt,
    PaymentMethodMissing,
    PaymentNeedsAction,
    PaymentUnavailable,
    RefundRefused,
)
from sagas.checkout import evidence, steps
from sagas.checkout.audit import auditor
from sagas.definitions import NOTHING_TO_UNDO, FollowUp, Limits, Retry, SagaDefinition, Step

BRIEF = Retry(
    attempts=settings.RETRY_ATTEMPTS,
    first_delay=settings.RETRY_FIRST_DELAY,
    max_delay=settings.RETRY_MAX_DELAY,
)
PATIENT = replace(BRIEF, attempts=settings.RETRY_ATTEMPTS_MUST_SUCCEED)

#: Steps within our own databases; steps that call others, and whatever has to get through.
LOCAL = Limits(seconds=settings.STEP_TIME_LIMIT, do=BRIEF, undo=PATIENT)
MUST_PASS = replace(LOCAL, do=PATIENT)
OUTSIDE = replace(MUST_PASS, seconds=settings.OUTSIDE_STEP_TIME_LIMIT)

CHECKOUT = SagaDefinition(
    kind="checkout",
    version=1,
    deadline=settings.CHECKOUT_DEADLINE,
    steps=(
        Step(
            name="create_order",
            do=steps.create_order,
            undo=steps.cancel_order,
            reaches="ORDER_CREATED",
            queue="orders",
            limits=LOCAL,
            refusals=(DraftMissing,),
        ),
        Step(
            name="reserve_inventory",
            do=steps.reserve_inventory,
            undo=steps.release_inventory,
            reaches="INVENTORY_RESERVED",
            queue="inventory",
            joins=True,
            limits=LOCAL,
            refusals=(OutOfStock,),
        ),
        Step(
            name="charge_payment",
            do=steps.charge_payment,
            undo=steps.refund_payment,
            reaches="PAYMENT_CHARGED",
            queue="payments",
            limits=OUTSIDE,
            refusals=(CardDeclined, PaymentMethodMissing, RefundRefused),
            in_doubt=(PaymentInDoubt,),
            waits=(PaymentNeedsAction,),
            transient=(PaymentUnavailable,),
            pivot=True,
        ),
        Step(
            name="confirm_order",
            do=steps.confirm_order,
            undo=NOTHING_TO_UNDO,
            reaches="ORDER_CONFIRMED",
            queue="orders",
            joins=True,
            limits=MUST_PASS,
            refusals=(OrderNotPending,),
        ),
        Step(
            name="send_confirmation",
            do=steps.send_confirmation,
            undo=NOTHING_TO_UNDO,
            reaches="COMPLETE",
            queue="notifications",
            limits=OUTSIDE,
            refusals=(MailRefused,),
            transient=(MailUnavailable, MailBusy),
        ),
    ),
    after_compensated=FollowUp(
        name="send_apology",
        do=steps.send_apology,
        queue="notifications",
        limits=OUTSIDE,
        refusals=(MailRefused, DraftMissing),
        transient=(MailUnavailable, MailBusy),
    ),
    evidence=evidence.CHECKOUT,
    auditor=auditor.CHECKOUT,
)
