"""Waits within a scenario: until its checkouts have come far enough for what is to be done next."""

from collections.abc import Sequence

from sagas.models import Saga
from tooling.crashtest.people import Placed
from tooling.demo.shopper import watch


def come_to(placed: Sequence[Placed], *states: str) -> None:
    """Wait until the sagas of all these checkouts are in one of the states."""
    ids = [each.checkout_id for each in placed]
    watch(
        lambda: Saga.objects.using("default").filter(pk__in=ids).exclude(state__in=states).count(),
        until=lambda others: others == 0,
        what=" or ".join(states),
    )
