"""The checkout's own definition with fewer attempts, so that a run comes to their end."""

from dataclasses import replace

from sagas.checkout import saga
from sagas.definitions import FollowUp, Limits

_ATTEMPTS = 3


def _impatient(limits: Limits) -> Limits:
    return replace(
        limits,
        do=replace(limits.do, attempts=_ATTEMPTS),
        undo=replace(limits.undo, attempts=_ATTEMPTS),
    )


def _told() -> FollowUp:
    told = saga.CHECKOUT.after_compensated
    assert told is not None
    return replace(told, limits=_impatient(told.limits))


CHECKOUT = replace(
    saga.CHECKOUT,
    steps=tuple(replace(step, limits=_impatient(step.limits)) for step in saga.CHECKOUT.steps),
    after_compensated=_told(),
)
