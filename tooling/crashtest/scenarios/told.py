"""The provider's webhooks: each twice, in the opposite order, and while nothing answers."""

from collections.abc import Sequence
from datetime import timedelta

import httpx
from django.db.models import QuerySet
from django.db.models.functions import Now

from payments.models import EventStatus, Payment, ProviderEvent
from tooling.crashtest.people import Placed
from tooling.crashtest.scenario import Road, Scenario, Stage
from tooling.crashtest.scenarios.waiting import come_to
from tooling.local.stack import WEBHOOK_SECRET

_SECONDS = 60.0
_LONG_AGO = timedelta(days=91)
#: Questions that are turned away for each checkout: its webhooks have to wait.
_TURNED_AWAY = 2


def _provoke(stage: Stage, what: str, **parameters: str) -> None:
    url = f"{stage.shop.provider}/v1/test_helpers/{what}"
    httpx.post(url, data=parameters, timeout=_SECONDS).raise_for_status()


def _listen(stage: Stage, **manner: str) -> None:
    url = f"{stage.shop.address}/api/v1/webhooks/payments/fake"
    _provoke(stage, "webhooks", url=url, secret=WEBHOOK_SECRET, **manner)


def _deaf_again(stage: Stage, faults: list[str]) -> list[str]:
    """Let nothing be told to the scenarios that come; only once all was heard is it time."""
    if not faults:
        _provoke(stage, "webhooks", url="off")
    return faults


def _told_twice(stage: Stage, count: int) -> Sequence[Placed]:
    _listen(stage, copies="2")
    return stage.shopper.place_many(count)


def _told_backwards(stage: Stage, count: int) -> Sequence[Placed]:
    """All at once after the charge, the last one first, from a provider too busy to say more."""
    _listen(stage, hold="true")
    placed = stage.shopper.place_many(count)
    come_to(placed, "COMPLETE")
    _provoke(stage, "rate_limit", requests=str(_TURNED_AWAY * count))
    _listen(stage)
    _provoke(stage, "webhooks/release", order="reversed")
    return placed


def _time_passes(stage: Stage, placed: Sequence[Placed]) -> None:
    """The sweep looks for what was put off, and for what a dead worker had in hand."""
    _events_of(placed).filter(status=EventStatus.RECEIVED).update(next_attempt_at=Now())
    stage.shop.ask_for("payments.sweep_events", queue="webhooks")


def _not_heard(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    """Every charge was told of, and nothing that was told waits or was given up."""
    refs = _refs(placed)
    heard = _events_of(placed).filter(kind="payment_intent.succeeded")
    deaf = refs - set(heard.values_list("intent_ref", flat=True))
    waiting = _events_of(placed).exclude(status=EventStatus.PROCESSED)
    faults = [
        *(f"nobody told us of {ref}" for ref in sorted(deaf)),
        *(f"webhook {each.event_id} ({each.kind}) is {each.status}" for each in waiting),
    ]
    return _deaf_again(stage, faults)


def _events_of(placed: Sequence[Placed]) -> QuerySet[ProviderEvent]:
    return ProviderEvent.objects.using("payments").filter(intent_ref__in=_refs(placed))


def _refs(placed: Sequence[Placed]) -> set[str]:
    ids = [each.checkout_id for each in placed]
    payments = Payment.objects.using("payments").filter(saga_id__in=ids).exclude(provider_ref="")
    return set(payments.values_list("provider_ref", flat=True))


def _told_once(stage: Stage, count: int) -> Sequence[Placed]:
    _listen(stage)
    placed = stage.shopper.place_many(1)
    come_to(placed, "COMPLETE")
    return placed


def _a_quarter_passes(stage: Stage, placed: Sequence[Placed]) -> None:
    """What was told is old, and the purge is due."""
    _time_passes(stage, placed)
    _events_of(placed).update(received_at=Now() - _LONG_AGO)
    stage.shop.ask_for("payments.purge_events", queue="webhooks")


def _still_known(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    faults = [f"webhook {each.event_id} is kept" for each in _events_of(placed)]
    return _deaf_again(stage, faults)


ALL = (
    Scenario(
        name="told twice",
        road=Road.FORWARD,
        play=_told_twice,
        nudge=_time_passes,
        also=_not_heard,
    ),
    Scenario(
        name="told backwards",
        road=Road.FORWARD,
        play=_told_backwards,
        nudge=_time_passes,
        also=_not_heard,
    ),
    Scenario(
        name="webhooks forgotten",
        road=Road.UPKEEP,
        play=_told_once,
        nudge=_a_quarter_passes,
        also=_still_known,
        lasting=True,
    ),
)
