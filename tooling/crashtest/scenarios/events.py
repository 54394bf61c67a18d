"""What the domains tell each other: kept while the broker takes nothing, tried again, purged."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import connections
from django.db.models import QuerySet
from django.db.models.functions import Now

from orders.models import InboxEntry
from sagas.events.models import Handling
from tooling.crashtest import hearing
from tooling.crashtest.people import Placed, all_at_once
from tooling.crashtest.scenario import Road, Scenario, Stage
from tooling.crashtest.scenarios.waiting import come_to
from tooling.demo.shopper import watch

_TIMELINE = "orders_timelineentry"
#: Ticks for each checkout: of those that run at one time, one finds something to relay.
_TICKS = 3
_LONG_AGO = timedelta(days=70)


def _kept_back(stage: Stage, count: int) -> Sequence[Placed]:
    """The relay works, and the broker takes nothing from it: what it claimed is let go."""
    with ExitStack() as refused:
        with stage.shop.standing_still("events"):
            placed = stage.shopper.place_many(count)
            come_to(placed, "COMPLETE")
            for _ in range(_TICKS * count):
                stage.shop.ask_for("events.tick", queue="events")
            refused.enter_context(stage.shop.refused_by_broker())
        # The ticks that wait are handed out now.
        with suppress(TimeoutError):
            watch(lambda: stage.shop.waiting_in("events"), until=lambda n: not n, what="ticks")
    return placed


def _time_passes(stage: Stage, placed: Sequence[Placed]) -> None:
    hearing.time_passes(stage.shop, [each.checkout_id for each in placed])


# Given up, and replayed ------------------------------------------------------------------


@contextmanager
def _timeline_broken() -> Iterator[None]:
    """Let no event into the timelines for as long as the block runs."""
    with connections["orders"].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {_TIMELINE} ADD CONSTRAINT broken CHECK (false) NOT VALID")
    try:
        yield
    finally:
        with connections["orders"].cursor() as cursor:
            cursor.execute(f"ALTER TABLE {_TIMELINE} DROP CONSTRAINT broken")


def _given_up(stage: Stage, count: int) -> Sequence[Placed]:
    """Events that fail to the end; operators have them tried again once the fault is mended."""
    with _timeline_broken():
        placed = stage.shopper.place_many(count)
        come_to(placed, "COMPLETE")
        ids = [each.checkout_id for each in placed]
        with suppress(TimeoutError):
            watch(lambda: _end_attempts(stage, ids), until=lambda n: n >= count, what="given up")
    return placed


def _end_attempts(stage: Stage, ids: Sequence[UUID]) -> int:
    """Let the next attempt be the last one; return how many events are given up."""
    waiting = _entries(ids).filter(status=Handling.WAITING, attempts__gte=1)
    waiting.update(attempts=settings.EVENT_ATTEMPTS - 1, next_attempt_at=Now())
    hearing.time_passes(stage.shop, ids)
    return _entries(ids).filter(status=Handling.DEAD).count()


def _replay(stage: Stage, placed: Sequence[Placed]) -> None:
    """An operator has what was given up tried again, and looks again whether it was done."""
    ids = [each.checkout_id for each in placed]
    dead = _entries(ids).filter(status=Handling.DEAD).values_list("pk", flat=True)
    all_at_once(lambda pk: stage.operator.post(f"/orders/inboxentry/{pk}/do/replay/"), list(dead))
    _time_passes(stage, placed)


def _entries(ids: Sequence[UUID]) -> QuerySet[InboxEntry]:
    return InboxEntry.objects.using("orders").filter(saga_id__in=ids)


# Purged ----------------------------------------------------------------------------------


def _told(stage: Stage, count: int) -> Sequence[Placed]:
    placed = stage.shopper.place_many(count)
    come_to(placed, "COMPLETE")
    return placed


def _two_months_pass(stage: Stage, placed: Sequence[Placed]) -> None:
    """Checkout after checkout gets old, and what was told of it is purged."""
    _time_passes(stage, placed)
    if left := [each.checkout_id for each in placed if _kept([each])]:
        _grow_old(left[0])
    stage.shop.ask_for("events.purge", queue="events")


def _grow_old(saga_id: UUID) -> None:
    """Let two months have passed since all of it was received."""
    outboxes = hearing.outboxes([saga_id])
    if any(outbox.filter(received_at=None).exists() for outbox in outboxes):
        return
    for outbox in outboxes:
        outbox.update(happened_at=Now() - _LONG_AGO)
    for inbox in hearing.inboxes([saga_id]):
        inbox.update(received_at=Now() - _LONG_AGO)


def _still_kept(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    return [f"{kept} events and entries are kept"] if (kept := _kept(placed)) else []


def _kept(placed: Sequence[Placed]) -> int:
    ids = [each.checkout_id for each in placed]
    return sum(rows.count() for rows in (*hearing.outboxes(ids), *hearing.inboxes(ids)))


ALL = (
    Scenario(name="broker takes nothing", road=Road.RECOVERY, play=_kept_back, nudge=_time_passes),
    Scenario(name="events given up", road=Road.RECOVERY, play=_given_up, nudge=_replay),
    Scenario(
        name="events purged",
        road=Road.UPKEEP,
        play=_told,
        nudge=_two_months_pass,
        also=_still_kept,
    ),
)
