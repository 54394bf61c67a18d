"""What clocks, starts and lost messages do: recovery, the sweep, the purge, the catalogue."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import httpx
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from inventory.services import receive_stock
from orders.models import Draft
from payments.models import Payment, PaymentMethod, Status
from sagas.auditor import Mend
from sagas.models import COMPLETE, AuditRun, Finding, Saga
from tooling.crashtest.people import Placed, all_at_once
from tooling.crashtest.recording import QUEUE_IS_LONG
from tooling.crashtest.scenario import (
    COMPLETED,
    UNDONE,
    Must,
    Road,
    Scenario,
    Stage,
)
from tooling.crashtest.scenarios.waiting import come_to
from tooling.crashtest.shop import COMMAND
from tooling.local.instance import REPOSITORY

_LONG_AGO = timedelta(days=31)
_TOKEN_CAPTURED_AFTER_ALL = "tok_success_after_decline_1"
_COMMAND_SECONDS, _SECONDS = 60, 60.0
#: So many commands run at one time: starting one is what takes long.
_COMMANDS = 3
_SCARCE = ("LAST-UNIT", "SOLD-OUT")
_PLENTY = 1_000_000
_SOLD = ("MUG-BLUE", "TEAPOT", "TOWEL")
#: Workers that are started anew, and starts for each kill when all die of it.
#: A worker that stands still has one message; the rest is the queue. Ticks for each checkout, and
#: seconds between two of them.
_A_QUEUE, _TICKS, _A_TICK = 3, 2, 0.3
_STARTED, _STARTS_AGAIN = ("recovery", "domain", "events"), 3
#: Older than the longest that an audit may run.
_AUDIT_OVER = timedelta(minutes=13)

#: The apology said that nothing was taken; the money came later, and went back.
GIVEN_BACK_LATER: Must = UNDONE
#: Minor units that staff gave back in the provider's dashboard; the order stands.
_GIVEN_BACK = 100
SOME_GIVEN_BACK = replace(COMPLETED, given_back=_GIVEN_BACK)


# Recovery --------------------------------------------------------------------------------


def _messages_lost(stage: Stage, count: int) -> Sequence[Placed]:
    """The broker forgets what it was given; recovery sends it again from the rows."""
    with stage.shop.standing_still("domain"):
        placed = stage.shopper.place_many(count)
        stage.shop.lose_messages("orders")
    return placed


def _undo_messages_lost(stage: Stage, count: int) -> Sequence[Placed]:
    """The same for checkouts that are on their way back."""
    with stage.shop.standing_still("compensation"):
        with stage.shop.standing_still("domain"):
            placed = stage.shopper.place_many(count)
            for each in placed:
                stage.shopper.cancel(each)
        stage.shop.lose_messages("compensation")
    return placed


def _queue_is_long(stage: Stage, count: int) -> Sequence[Placed]:
    """Workers stand still for longer than messages may wait; recovery looks into their queue."""
    with stage.shop.standing_still("domain"):
        placed = stage.shopper.place_many(max(count, _A_QUEUE))
        for _ in range(count * _TICKS):
            _leases_run_out(placed)
            stage.shop.ask_for("sagas.recover", queue="recovery")
            time.sleep(_A_TICK)
    return placed


def _leases_run_out(placed: Sequence[Placed]) -> None:
    waiting = Saga.objects.using("default").filter(
        pk__in=[each.checkout_id for each in placed],
        claimed_at=None,
        next_attempt_at=None,
        lease_until__isnull=False,
    )
    waiting.update(lease_until=Now(), revision=F("revision") + 1)


def _worker_starts(stage: Stage, count: int) -> Sequence[Placed]:
    """Workers are killed, and ask for what was left behind when they start again.

    One that dies on it starts again, and asks again: so few starts are enough.
    """
    for _ in range(max(1, count // _STARTS_AGAIN)):
        for name in _STARTED:
            stage.shop.supervisor.kill(name)
        stage.shop.supervisor.wait_ready(*_STARTED)
    return stage.shopper.place_many(1)


# Upkeep ----------------------------------------------------------------------------------


def _captured_after_all(stage: Stage, count: int) -> Sequence[Placed]:
    """Declined and cancelled; and the bank captures all the same."""
    return stage.shopper.place_many(count, token=_TOKEN_CAPTURED_AFTER_ALL)


def _sweep(stage: Stage, placed: Sequence[Placed]) -> None:
    """A minute passes: the sweep's next look is due."""
    cancelled = _payments_of(placed).filter(status__in=(Status.CANCELLED, Status.REVERSING))
    cancelled.exclude(next_check_at=None).update(next_check_at=Now())
    stage.shop.ask_for("payments.sweep_late_successes", queue="payments")


def _not_given_back(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    waiting = _payments_of(placed).exclude(status=Status.REFUNDED)
    return [f"payment {payment.pk} is {payment.status}" for payment in waiting]


def _audited(stage: Stage, count: int) -> Sequence[Placed]:
    """Money that nobody has given back yet, and some that went back past us: two findings."""
    undone = stage.shopper.place_many(1, token=_TOKEN_CAPTURED_AFTER_ALL)
    done = stage.shopper.place_many(1)
    come_to(undone, "COMPENSATED")
    come_to(done, "COMPLETE")
    for payment in _payments_of(done):
        httpx.post(
            f"{stage.shop.provider}/v1/refunds",
            data={"payment_intent": payment.provider_ref, "amount": str(_GIVEN_BACK)},
            headers={"Authorization": "Bearer sk_test_dashboard"},
            timeout=_SECONDS,
        ).raise_for_status()
    return [*undone, *done]


def _audit(stage: Stage, placed: Sequence[Placed]) -> None:
    """An audit is due; one whose worker died is taken for running no longer."""
    runs = AuditRun.objects.using("default").filter(finished_at=None)
    runs.update(started_at=Now() - _AUDIT_OVER)
    stage.shop.ask_for("sagas.audit", queue="audit", everything=True)


def _not_clean(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    """Given back, asked about, and the findings closed."""
    ids = [each.checkout_id for each in placed]
    found = Finding.objects.using("default").filter(closed_at=None, saga_id__in=ids)
    if open_ones := [f"audit: {finding.what}" for finding in found]:
        _sweep(stage, placed)
        to_ask = set(found.filter(mend=Mend.ASK).values_list("saga_id", flat=True))
        for each in placed:
            if each.checkout_id in to_ask:
                stage.operator.press(each.checkout_id, "ask")
        return open_ones
    # What was given back past us leaves its payment SUCCEEDED, and the order stands.
    standing = _standing(placed)
    undone = [each for each in placed if each.checkout_id not in standing]
    return _not_given_back(stage, undone)


def _standing(placed: Sequence[Placed]) -> set[UUID]:
    complete = Saga.objects.using("default").filter(
        pk__in=[each.checkout_id for each in placed], state=COMPLETE
    )
    return set(complete.values_list("pk", flat=True))


def _stays_cancelled(stage: Stage, count: int) -> Sequence[Placed]:
    return stage.shopper.place_many(count, token="tok_declined")


def _a_day_passes(stage: Stage, placed: Sequence[Placed]) -> None:
    """The payments were cancelled more than a day ago, and are asked about the last time."""
    _payments_of(placed).filter(status=Status.CANCELLED).exclude(next_check_at=None).update(
        cancelled_at=Now() - timedelta(hours=25), next_check_at=Now()
    )
    stage.shop.ask_for("payments.sweep_late_successes", queue="payments")


def _still_asked_about(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    waiting = _payments_of(placed).exclude(next_check_at=None)
    return [f"payment {payment.pk} is still asked about" for payment in waiting]


def _payments_of(placed: Sequence[Placed]) -> QuerySet[Payment]:
    return Payment.objects.using("payments").filter(
        saga_id__in=[each.checkout_id for each in placed]
    )


def _a_month_passes(stage: Stage, placed: Sequence[Placed]) -> None:
    """What was posted is old, and the purges are due."""
    ids = [each.checkout_id for each in placed]
    Draft.objects.using("orders").filter(pk__in=ids).update(created_at=Now() - _LONG_AGO)
    PaymentMethod.objects.using("payments").filter(pk__in=ids).update(created_at=Now() - _LONG_AGO)
    stage.shop.ask_for("orders.purge_drafts", queue="orders")
    stage.shop.ask_for("payments.purge_methods", queue="payments")


def _still_remembered(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    ids = [each.checkout_id for each in placed]
    drafts = Draft.objects.using("orders").filter(pk__in=ids).count()
    methods = PaymentMethod.objects.using("payments").filter(pk__in=ids).count()
    return [f"{drafts} drafts and {methods} methods are kept"] if drafts or methods else []


def _long_done(stage: Stage, count: int) -> Sequence[Placed]:
    placed = stage.shopper.place_many(1)
    come_to(placed, "COMPLETE")
    return placed


def restock() -> None:
    """Put more on the shelves than all cases together sell."""
    for sku in _SOLD:
        receive_stock(sku=sku, quantity=_PLENTY)


def _sold_again(stage: Stage, placed: Sequence[Placed]) -> None:
    """The command has set every product to what it was on the first day."""
    restock()


def _stocked(stage: Stage, count: int) -> Sequence[Placed]:
    """Somebody fills the shelves by the command, and again when it was broken off."""
    folder = str(stage.shop.plans_folder / COMMAND)
    # Nothing is sold out, so that nothing comes back by this.
    for sku in _SCARCE:
        receive_stock(sku=sku, quantity=1)

    def fill(_: int) -> None:
        subprocess.run(
            [sys.executable, "manage.py", "load_catalogue", "--reset-stock"],
            env={**stage.shop.environment, "CRASH_PLAN": folder},
            cwd=REPOSITORY,
            capture_output=True,
            timeout=_COMMAND_SECONDS,
            start_new_session=True,
            check=False,
        )

    all_at_once(fill, range(count), at_once=_COMMANDS)
    return []


ALL = (
    Scenario(name="messages lost", road=Road.RECOVERY, play=_messages_lost),
    Scenario(
        name="undo messages lost",
        road=Road.RECOVERY,
        play=_undo_messages_lost,
        must=(UNDONE,),
    ),
    Scenario(name=QUEUE_IS_LONG, road=Road.RECOVERY, play=_queue_is_long),
    Scenario(name="worker starts", road=Road.RECOVERY, play=_worker_starts),
    Scenario(
        name="captured after all",
        road=Road.UPKEEP,
        play=_captured_after_all,
        must=(GIVEN_BACK_LATER,),
        nudge=_sweep,
        also=_not_given_back,
    ),
    Scenario(
        name="stays cancelled",
        road=Road.UPKEEP,
        play=_stays_cancelled,
        must=(UNDONE,),
        nudge=_a_day_passes,
        also=_still_asked_about,
    ),
    Scenario(
        name="audited",
        road=Road.UPKEEP,
        play=_audited,
        must=(GIVEN_BACK_LATER, SOME_GIVEN_BACK),
        nudge=_audit,
        settle=_sweep,
        also=_not_clean,
        lasting=True,
    ),
    Scenario(
        name="a month passes",
        road=Road.UPKEEP,
        play=_long_done,
        nudge=_a_month_passes,
        also=_still_remembered,
        lasting=True,
    ),
    Scenario(name="shelves are filled", road=Road.UPKEEP, play=_stocked, settle=_sold_again),
)
