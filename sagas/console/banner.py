"""The label on every page of the admin: what is held back, and what is made to go wrong."""

from django.conf import settings
from django.http import HttpRequest

from sagas import disturbances
from sagas.console import switches_view


def environment(request: HttpRequest) -> list[str] | None:
    """Return the label's words and colour, None without one (Unfold's ENVIRONMENT)."""
    words = [*switches_view.held_words(), *_staged_words()]
    return ["; ".join(words), "danger"] if words else None


def _staged_words() -> list[str]:
    staged = disturbances.active().count() if settings.STAGING_CHAOS else 0
    return [f"Faults staged: {staged}"] if staged else []
