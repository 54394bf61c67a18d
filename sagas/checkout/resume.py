"""A payment has changed by the provider's own word: whoever waits for it goes on at once."""

from uuid import UUID

from sagas import operations
from sagas.models import DATABASE, Saga


def payment_changed(saga_id: UUID) -> None:
    """Resume the checkout if it waits, and what follows it; a worker on one learns by itself."""
    waiting = Saga.objects.using(DATABASE).filter(follows=saga_id, next_attempt_at__isnull=False)
    for each in (saga_id, *waiting.values_list("pk", flat=True)):
        operations.dispatch(each, only_if_waiting=True)
