"""Staging chaos: operators let steps go wrong on purpose, and stop it again."""

from collections.abc import Sequence

from sagas.disturbances import active
from sagas.models import Fault, Saga
from tooling.crashtest.people import Placed
from tooling.crashtest.scenario import Road, Scenario, Stage

_PAGE = "/sagas/saga/chaos"
_PARTS = ("reserve_inventory", "charge_payment", "confirm_order")


def _staged(stage: Stage, count: int) -> Sequence[Placed]:
    """Faults are staged and stopped, others hit a checkout each; the steps take turns.

    An operator who is cut off stages again: then two attempts fail.
    """
    parts = [f"checkout do {_PARTS[number % len(_PARTS)]}" for number in range(count)]
    for part in parts:
        _stage(stage, part)
        _stop_all(stage)
    for part in parts:
        _stage(stage, part)
    return stage.shopper.place_many(count)


def _stage(stage: Stage, part: str) -> None:
    typed = {"attempts": "1", "most_sagas": "1", "minutes": "15", "reason": "crash test"}
    stage.operator.post(f"{_PAGE}/plan/", part=part, fault=Fault.FAILS.value, **typed)


def _stop_all(stage: Stage) -> None:
    for row in active():
        stage.operator.post(f"{_PAGE}/{row.pk}/stop/")


def _stop(stage: Stage, placed: Sequence[Placed]) -> None:
    """Once the checkouts are through, nothing more of it is to happen."""
    ids = [each.checkout_id for each in placed]
    if Saga.objects.using("default").filter(pk__in=ids).exclude(state="COMPLETE").exists():
        return
    _stop_all(stage)


def _still_staged(stage: Stage, placed: Sequence[Placed]) -> list[str]:
    return [f"disturbance {row.pk} is still staged" for row in active()]


ALL = (
    Scenario(
        name="faults staged",
        road=Road.STAFF,
        play=_staged,
        nudge=_stop,
        also=_still_staged,
    ),
)
