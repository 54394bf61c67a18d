"""Tells whoever waits for payments that one has changed; payments does not know who that is."""

from collections.abc import Callable
from typing import cast
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string


def payment_changed(saga_id: UUID) -> None:
    """Call what settings.PAYMENT_LISTENER names; it may be told more often than needed."""
    cast(Callable[[UUID], None], import_string(settings.PAYMENT_LISTENER))(saga_id)
