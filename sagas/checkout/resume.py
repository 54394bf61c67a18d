"""A payment has changed by the provider's own word: whoever waits for it goes on at once."""

from uuid import UUID

from sagas import operations


def payment_changed(saga_id: UUID) -> None:
    """Resume the checkout if it waits; a worker that is on it learns by itself."""
    operations.dispatch(saga_id, only_if_waiting=True)
