"""What shoppers, banks and mail servers do: forward, in doubt, and back."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from uuid import uuid4

from django.db import connections, transaction

from inventory.models import Stock
from orders.models import Draft
from sagas.models import Saga
from tooling.crashtest.people import Placed, all_at_once
from tooling.crashtest.scenario import COMPLETED, TAKEN_BACK, UNDONE, Road, Scenario, Stage
from tooling.demo.shopper import watch
from tooling.local.stack import mailcatcher, provider

#: Kept apart, so that selling it out harms no other scenario.
_SCARCE = "LAST-UNIT"
_EQUAL_REQUESTS = 4
#: Seconds for which requests are held up: shorter than a transaction may be idle.
_HELD_UP = 1.5


def _paid_with(token: str, stage: Stage, count: int) -> Sequence[Placed]:
    return stage.shopper.place_many(count, token=token)


def _sold_out(stage: Stage, count: int) -> Sequence[Placed]:
    """Accepted while there was some; sold out by the time that it is held."""
    stock = Stock.objects.using("inventory").filter(pk=_SCARCE)
    reserved = stock.get().reserved
    stock.update(on_hand=reserved + 1)
    with stage.shop.standing_still("domain"):
        placed = stage.shopper.place_many(count, sku=_SCARCE)
        stock.update(on_hand=reserved)
    return placed


def _cancelled(stage: Stage, count: int) -> Sequence[Placed]:
    """The shopper cancels while the provider has the charge in hand."""

    def place_and_cancel(_: int) -> Placed:
        placed = stage.shopper.place(token="tok_slow_1")
        # Should the charge be through first, the checkout completes, which is right as well.
        with suppress(TimeoutError):
            watch(lambda: _is_being_charged(placed), until=bool, what="a charge")
        stage.shopper.cancel(placed)
        return placed

    return all_at_once(place_and_cancel, range(count))


def _is_being_charged(placed: Placed) -> bool:
    saga = Saga.objects.using("default").get(pk=placed.checkout_id)
    return saga.state not in {"PENDING", "ORDER_CREATED"} and bool(saga.claimed_at)


def _sent_several_times(stage: Stage, count: int) -> Sequence[Placed]:
    """Equal requests at the same moment: one of them makes the checkout, the others give way."""
    return [_equal_requests(stage, str(uuid4())) for _ in range(count)]


def _equal_requests(stage: Stage, key: str) -> Placed:
    with ThreadPoolExecutor(_EQUAL_REQUESTS) as shoppers:
        with _no_saga_begins():
            before = _drafts()
            asked = [
                shoppers.submit(partial(stage.shopper.place, key=key))
                for _ in range(_EQUAL_REQUESTS)
            ]
            with suppress(TimeoutError):
                watch(
                    _drafts,
                    until=lambda drafts: drafts >= before + _EQUAL_REQUESTS,
                    what="equal requests",
                    patience=_HELD_UP,
                )
        return asked[0].result()


@contextmanager
def _no_saga_begins() -> Iterator[None]:
    """Hold requests up between their draft and their saga, so that all of them have got so far."""
    with transaction.atomic(using="default"), connections["default"].cursor() as cursor:
        cursor.execute("LOCK TABLE sagas_saga IN SHARE ROW EXCLUSIVE MODE")
        yield


def _drafts() -> int:
    return Draft.objects.using("orders").count()


def _not_same(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    """One key, one saga, whatever the web server told in between."""
    found = Saga.objects.using("default").filter(idempotency_key__in=[p.key for p in placed])
    return [] if found.count() == len(placed) else ["equal requests made several sagas"]


def _provider_away(stage: Stage, count: int) -> Sequence[Placed]:
    """The provider goes away before it knows of the payment, and comes back."""
    stage.shop.supervisor.stop("provider")
    try:
        placed = stage.shopper.place_many(count)
        _wait_for_faults(placed, "charge_payment")
    finally:
        stage.shop.supervisor.start(provider(stage.shop.journal, stage.shop.ports))
    return placed


def _mail_server_away(stage: Stage, count: int) -> Sequence[Placed]:
    """The mail server goes away, and comes back."""
    stage.shop.supervisor.stop("mail")
    try:
        placed = stage.shopper.place_many(count)
        _wait_for_faults(placed, "send_confirmation")
    finally:
        stage.shop.supervisor.start(mailcatcher(stage.shop.mails, stage.shop.ports))
    return placed


def _wait_for_faults(placed: Sequence[Placed], step: str) -> None:
    sagas = Saga.objects.using("default").filter(pk__in=[p.checkout_id for p in placed])
    with suppress(TimeoutError):
        watch(
            lambda: sagas.filter(error_step=step).count(),
            until=lambda count: count == len(placed),
            what=f"faults in {step}",
        )


def _undone(name: str, token: str) -> Scenario:
    return Scenario(
        name=name, road=Road.COMPENSATION, play=partial(_paid_with, token), must=(UNDONE,)
    )


def _forward(name: str, token: str) -> Scenario:
    return Scenario(name=name, road=Road.FORWARD, play=partial(_paid_with, token))


ALL = (
    _forward("all goes well", "tok_success"),
    _forward("charge in doubt", "tok_reply_lost"),
    _forward("charge comes late", "tok_late_success_1"),
    Scenario(
        name="sent several times", road=Road.FORWARD, play=_sent_several_times, also=_not_same
    ),
    Scenario(name="provider away", road=Road.FORWARD, play=_provider_away),
    Scenario(name="mail server away", road=Road.FORWARD, play=_mail_server_away),
    _undone("card declined", "tok_declined"),
    _undone("card declined late", "tok_late_decline_1"),
    Scenario(name="sold out", road=Road.COMPENSATION, play=_sold_out, must=(UNDONE,)),
    Scenario(
        name="cancelled in the charge",
        road=Road.COMPENSATION,
        play=_cancelled,
        must=(UNDONE, COMPLETED, TAKEN_BACK),
    ),
)
