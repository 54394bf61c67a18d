"""Chooses the gateway that the settings name."""

from datetime import timedelta
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from payments.gateways.port import Gateway


def gateway(provider: str = "") -> Gateway:
    """Return the gateway of ``provider``; of settings.PAYMENT_PROVIDER when none is given.

    A payment keeps the provider that it was begun with, so that it can be asked and undone
    there after the setting has changed.

    Raises:
        LookupError: the settings name no such provider.
    """
    name = provider or settings.PAYMENT_PROVIDER
    if name not in settings.PAYMENT_GATEWAYS:
        raise LookupError(f"settings.PAYMENT_GATEWAYS has no provider {name!r}")
    return cast(Gateway, import_string(settings.PAYMENT_GATEWAYS[name])())


def key_horizon(provider: str) -> timedelta:
    """Return how old a key of ``provider`` may be; zero if the settings do not name it any more."""
    known = provider in settings.PAYMENT_GATEWAYS
    return gateway(provider).key_horizon if known else timedelta(0)
