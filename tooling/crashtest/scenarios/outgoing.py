"""Webhooks out: endpoints that staff steer, receivers that fail, what was given up, the purge."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from django.db.models import QuerySet
from django.db.models.functions import Now

from notifications.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint
from notifications.webhooks.sending import ATTEMPTS
from tooling.crashtest import hearing
from tooling.crashtest.people import Placed, all_at_once
from tooling.crashtest.scenario import Road, Scenario, Stage
from tooling.crashtest.scenarios.waiting import come_to
from tooling.demo.shopper import watch

_PAGE = "/notifications/webhookendpoint"
_TYPES = ("order_created", "order_confirmed", "stock_reserved", "payment_captured")
#: Each with a lease of its own, so that several workers deliver at one time.
_ENDPOINTS = 4
_LONG_AGO = timedelta(days=31)
#: How long an endpoint is leased; a worker that is alive needs much less of it.
_LEASE, _AT_WORK = timedelta(seconds=60), timedelta(seconds=2)


# Staff -----------------------------------------------------------------------------------


def _steered(stage: Stage, count: int) -> Sequence[Placed]:
    """Edited, a secret shown and made anew, off and on: in vain, or again, when cut off."""
    endpoint = _added(stage, f"{stage.receiver.url}/steered")
    for number in range(count):
        typed = {"url": endpoint.url, "event_types": list(_TYPES)}
        stage.operator.post(f"{_PAGE}/{endpoint.pk}/change/", description=str(number), **typed)
        stage.operator.post(f"{_PAGE}/{endpoint.pk}/do/rotate/")
        stage.operator.post(f"{_PAGE}/{endpoint.pk}/secret/")
        stage.operator.post(f"{_PAGE}/{endpoint.pk}/do/turn-off/")
        stage.operator.post(f"{_PAGE}/{endpoint.pk}/do/turn-on/")
    stage.operator.post(f"{_PAGE}/{endpoint.pk}/do/turn-off/")
    return []


def _added(stage: Stage, url: str) -> WebhookEndpoint:
    """Return the endpoint with this address, which staff add if there is none."""
    known = WebhookEndpoint.objects.using("notifications").filter(url=url)
    while not known.exists():
        typed = {"url": url, "description": "crash test", "event_types": list(_TYPES)}
        stage.operator.post(f"{_PAGE}/add/", **typed)
    return known.get()


def _not_as_steered(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    faults = []
    for endpoint in WebhookEndpoint.objects.using("notifications").filter(url__endswith="/steered"):
        if endpoint.disabled_why != "by hand":
            faults.append(f"{endpoint.url} is on")
        if endpoint.secret_shown_at is None or not endpoint.previous_seed:
            faults.append(f"{endpoint.url} has a secret that nobody has seen")
    return faults


# Deliveries ------------------------------------------------------------------------------


def _delivered(stage: Stage, count: int, *, refuses_first: bool = True) -> Sequence[Placed]:
    """Receivers refuse each event the first time, and take it the next time."""
    _turn(stage, "turn-on")
    stage.receiver.refuses_first = refuses_first
    placed = stage.shopper.place_many(count)
    come_to(placed, "COMPLETE")
    return placed


def _given_up(stage: Stage, count: int) -> Sequence[Placed]:
    """Receivers are away, and the last attempt's worker died: operators send what was missed."""
    _turn(stage, "turn-on")
    stage.receiver.refuses_first, stage.receiver.refuses = False, True
    try:
        placed = stage.shopper.place_many(count)
        come_to(placed, "COMPLETE")
        watch(lambda: _tried(stage, placed), until=lambda tried: tried >= count, what="refused")
        tried = _deliveries_of(stage, placed).filter(status=DeliveryStatus.PENDING, attempts__gte=1)
        tried.update(attempts=ATTEMPTS, next_attempt_at=Now())
    finally:
        stage.receiver.refuses = False
    return placed


def _tried(stage: Stage, placed: Sequence[Placed]) -> int:
    _time_passes(stage, placed)
    return _deliveries_of(stage, placed).filter(attempts__gte=1).count()


def add_endpoints(stage: Stage) -> None:
    """Let staff add this test's endpoints: a recording that did would promise it for each play."""
    _turn(stage, "turn-off")


def _turn(stage: Stage, verb: str) -> None:
    """Turn this test's endpoints on or off: the rows of those that are off cost every event."""
    for number in range(_ENDPOINTS):
        endpoint = _added(stage, _url(stage, number))
        stage.operator.post(f"{_PAGE}/{endpoint.pk}/do/{verb}/")


def _time_passes(stage: Stage, placed: Sequence[Placed]) -> None:
    """What is to be sent is due, and what a dead worker had in hand is free."""
    hearing.time_passes(stage.shop, [each.checkout_id for each in placed])
    endpoints = WebhookEndpoint.objects.using("notifications")
    endpoints.filter(busy_until__lt=Now() + _LEASE - _AT_WORK).update(busy_until=None)
    waiting = WebhookDelivery.objects.using("notifications").filter(
        # Without a join, so that a row that was delivered meanwhile is looked at once more.
        pk__in=list(_deliveries_of(stage, placed).values_list("pk", flat=True)),
        status=DeliveryStatus.PENDING,
        next_attempt_at__lt=Now() + _LEASE - _AT_WORK,
    )
    waiting.update(next_attempt_at=Now())
    stage.shop.ask_for("notifications.look_for_webhooks", queue="outgoing")


def _send_again(stage: Stage, placed: Sequence[Placed]) -> None:
    given_up = _deliveries_of(stage, placed).filter(status=DeliveryStatus.GIVEN_UP)
    again = given_up.filter(endpoint__disabled_at=None).values_list("pk", flat=True)
    page = "/notifications/webhookdelivery/{}/do/send-again/"
    all_at_once(lambda pk: stage.operator.post(page.format(pk)), list(again))
    _time_passes(stage, placed)


def _not_delivered(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    """Every event that the endpoints want is there and was taken, and they are turned off then."""
    ids = [each.checkout_id for each in placed]
    told = [row for outbox in hearing.outboxes(ids) for row in outbox.filter(type__in=_TYPES)]
    faults = [
        f"{row.type} of {row.saga_id} has not arrived"
        for row in told
        if not stage.receiver.taken[str(row.event_id)]
    ]
    if len(told) < len(_TYPES) * len(placed):
        faults.append(f"only {len(told)} events were told")
    waiting = _deliveries_of(stage, placed).exclude(status=DeliveryStatus.DELIVERED)
    faults += [
        f"{delivery.type} to {delivery.endpoint} is {delivery.status}"
        for delivery in waiting.filter(endpoint__disabled_at=None)
    ]
    if not faults:
        _turn(stage, "turn-off")
    return faults


def _deliveries_of(stage: Stage, placed: Sequence[Placed]) -> QuerySet[WebhookDelivery]:
    ids = [each.checkout_id for each in placed]
    events = [row.event_id for outbox in hearing.outboxes(ids) for row in outbox]
    urls = [_url(stage, number) for number in range(_ENDPOINTS)]
    rows = WebhookDelivery.objects.using("notifications").select_related("endpoint")
    return rows.filter(event_id__in=events, endpoint__url__in=urls)


def _url(stage: Stage, number: int) -> str:
    return f"{stage.receiver.url}/{number}"


# Purged ----------------------------------------------------------------------------------


def _a_month_passes(stage: Stage, placed: Sequence[Placed]) -> None:
    """Delivery after delivery gets old, and is purged together with old notices."""
    _time_passes(stage, placed)
    over = _deliveries_of(stage, placed).filter(status=DeliveryStatus.DELIVERED)
    old = over.filter(created_at__lte=Now() - _LONG_AGO)
    if not old.exists() and (next_one := over.first()):
        over.filter(pk=next_one.pk).update(created_at=Now() - _LONG_AGO)
    stage.shop.ask_for("notifications.purge", queue="outgoing")


def _still_kept(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    kept = _deliveries_of(stage, placed).exclude(status=DeliveryStatus.GIVEN_UP).count()
    if not kept:
        _turn(stage, "turn-off")
    return [f"{kept} deliveries are kept"] if kept else []


ALL = (
    Scenario(name="endpoint steered", road=Road.STAFF, play=_steered, also=_not_as_steered),
    Scenario(
        name="webhooks refused first",
        road=Road.FORWARD,
        play=_delivered,
        nudge=_time_passes,
        also=_not_delivered,
    ),
    Scenario(
        name="webhooks given up",
        road=Road.STAFF,
        play=_given_up,
        nudge=_send_again,
        also=_not_delivered,
    ),
    Scenario(
        name="webhooks purged",
        road=Road.UPKEEP,
        play=partial(_delivered, refuses_first=False),
        nudge=_a_month_passes,
        also=_still_kept,
    ),
)
