"""Mails about products: asked for, sent once, not wanted any more, given up and sent again."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from uuid import uuid4

import httpx
from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now

from inventory.models import OutboxEvent, Stock
from notifications.models import InboxEntry, Notice, NoticeStatus
from notifications.notices import unsubscribe_url
from sagas.events.models import Handling
from sagas.events.relay import missing_at_consumers
from tooling.crashtest.people import Placed, all_at_once, insist
from tooling.crashtest.scenario import Road, Scenario, Stage
from tooling.demo.shopper import watch
from tooling.local.stack import mailcatcher

_PRODUCT = "SOLD-OUT"
_CAME_IN, _LOW_AT = 5, 1
_SECONDS = 4.0
#: Addresses of one play end in this, so that another play is not in the way.
_DOMAIN = "wants.example.org"
_LONG_AGO = timedelta(days=31)
_OVER = (NoticeStatus.SENT, NoticeStatus.UNSUBSCRIBED)


def _asked_for(stage: Stage, count: int) -> Sequence[Placed]:
    """Sold out: some ask for a mail, some change their mind, and one unit and more comes in."""
    _sell_out()
    all_at_once(lambda _: _want(stage), range(2 * count))
    for notice in _notices().filter(status=NoticeStatus.WAITING)[:count]:
        page = unsubscribe_url(notice).removeprefix(settings.PUBLIC_URL)
        insist(partial(httpx.post, f"{stage.shop.address}{page}", timeout=_SECONDS))
    _come_in(stage)
    # There is some: whoever asks now is told so, and not kept.
    all_at_once(lambda _: _want(stage), range(count))
    return []


def _low_and_back(stage: Stage, count: int) -> Sequence[Placed]:
    """Sold out and back, again and again: staff is told of the one, who asked of the other."""
    for _ in range(count):
        _sell_out()
        _want(stage)
        _come_in(stage)
        # Sold down to where staff wants to know of it.
        stage.operator.post(_stock_page(), change_by=str(_LOW_AT - _available()), low_at=_LOW_AT)
    return []


def _want(stage: Stage) -> None:
    url = f"{stage.shop.address}/api/v1/products/{_PRODUCT}/back-in-stock"
    email = f"{uuid4()}@{_DOMAIN}"
    insist(lambda: httpx.post(url, json={"email": email}, timeout=_SECONDS))


def _sell_out() -> None:
    stock = Stock.objects.using("inventory").filter(pk=_PRODUCT)
    stock.update(on_hand=stock.get().reserved)


def _come_in(stage: Stage) -> None:
    """An operator counts what came in, and looks whether it was done before counting again."""
    stage.operator.post(_stock_page(), change_by=str(_CAME_IN), low_at=_LOW_AT)


def _available() -> int:
    return Stock.objects.using("inventory").get(pk=_PRODUCT).available


def _stock_page() -> str:
    return f"/inventory/stock/{_PRODUCT}/change/"


def _send(stage: Stage, placed: Sequence[Placed]) -> None:
    """The schedule's ticks; events whose relay died are free again."""
    told = OutboxEvent.objects.using("inventory").filter(saga_id=None, relayed_at=None)
    told.filter(claimed_until__lt=Now() + timedelta(seconds=28)).update(claimed_until=Now())
    heard = InboxEntry.objects.using("notifications").filter(status=Handling.WAITING)
    heard.update(next_attempt_at=Now())
    stage.shop.ask_for("events.tick", queue="events")
    stage.shop.ask_for("notifications.send_notices", queue="outgoing")


def _not_told(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    """Whoever waited has a mail, and no more than there were attempts; others have none."""
    told = OutboxEvent.objects.using("inventory").filter(saga_id=None)
    faults = [
        f"{event.type} was never heard"
        for events in missing_at_consumers(list(told)).values()
        for event in events
    ]
    heard = InboxEntry.objects.using("notifications").exclude(status=Handling.DONE)
    faults += [str(entry) for entry in heard]
    if _available() > 0:
        faults += [f"{notice} waits" for notice in _notices().exclude(status__in=_OVER)]
    for notice in _notices().filter(status__in=_OVER):
        mails = len(list(stage.shop.mails.glob(f"*-{notice.local_part}@*")))
        sent = notice.status == NoticeStatus.SENT
        if not (1 <= mails <= notice.attempts if sent else mails == 0):
            faults.append(f"{notice.local_part} is {notice.status}: {mails} mails")
    return faults


def _notices() -> QuerySet[Notice]:
    return Notice.objects.using("notifications").order_by("created_at")


def _given_up(stage: Stage, count: int) -> Sequence[Placed]:
    """The mail server is away to the last attempt; operators then send the mails again."""
    _sell_out()
    all_at_once(lambda _: _want(stage), range(count))
    stage.shop.supervisor.stop("mail")
    try:
        _come_in(stage)
        watch(lambda: _end_attempts(stage), until=lambda left: not left, what="given up")
    finally:
        stage.shop.supervisor.start(mailcatcher(stage.shop.mails, stage.shop.ports))
    return []


def _end_attempts(stage: Stage) -> int:
    """Let the next attempt be the last one; return how many notices are not given up yet."""
    failed = _notices().filter(status=NoticeStatus.DUE, attempts__gte=1)
    failed.update(attempts=settings.EVENT_ATTEMPTS - 1, next_attempt_at=Now())
    _send(stage, [])
    return _notices().filter(status__in=(NoticeStatus.WAITING, NoticeStatus.DUE)).count()


def _sent_again(stage: Stage, placed: Sequence[Placed]) -> None:
    given_up = _notices().filter(status=NoticeStatus.GIVEN_UP).values_list("pk", flat=True)
    for pk in given_up:
        stage.operator.post(f"/notifications/notice/{pk}/do/send-again/")
    _send(stage, placed)


ALL = (
    Scenario(name="back in stock", road=Road.UPKEEP, play=_asked_for, nudge=_send, also=_not_told),
    Scenario(
        name="low and back", road=Road.UPKEEP, play=_low_and_back, nudge=_send, also=_not_told
    ),
    Scenario(
        name="notices given up",
        road=Road.STAFF,
        play=_given_up,
        nudge=_sent_again,
        also=_not_told,
    ),
)
