"""Waits within a scenario: until its checkouts have come far enough for what is to be done next."""

import time
from collections.abc import Sequence
from typing import Any

from django.db.models import Count, Q, Sum

from sagas.models import Saga
from tooling.crashtest.people import Placed

#: Seconds in which something must have moved: the longest back-offs and leases are shorter.
_PATIENCE = 40.0
_LOOK_EVERY = 0.2


def come_to(placed: Sequence[Placed], *states: str) -> None:
    """Wait until the sagas of all these checkouts are in one of the states.

    Raises:
        TimeoutError: some are not, and none has moved for a while. As long as they move it goes
            on: in a case of many deaths each costs a lease, one after the other.
    """
    sagas = Saga.objects.using("default").filter(pk__in=[each.checkout_id for each in placed])
    there, moves = Count("pk", filter=Q(state__in=states)), Sum("revision")
    seen: dict[str, Any] = {}
    moved_at = time.monotonic()
    while seen.get("there") != len(placed):
        last, seen = seen, sagas.aggregate(there=there, moves=moves)
        if seen != last:
            moved_at = time.monotonic()
        elif time.monotonic() - moved_at > _PATIENCE:
            raise TimeoutError(
                f"{' or '.join(states)}: {seen['there']} of {len(placed)}, "
                f"and none has moved for {_PATIENCE:g} s"
            )
        time.sleep(_LOOK_EVERY)
