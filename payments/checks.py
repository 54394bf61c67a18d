"""System checks of the payment settings: each has an id and says the mend."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string


@register
def check_provider(**_: Any) -> Sequence[CheckMessage]:
    """PAYMENT_PROVIDER must name a gateway that can be imported."""
    name = settings.PAYMENT_PROVIDER
    known = ", ".join(sorted(settings.PAYMENT_GATEWAYS))
    if name not in settings.PAYMENT_GATEWAYS:
        return [
            Error(
                f"PAYMENT_PROVIDER is {name!r}, which settings.PAYMENT_GATEWAYS does not name.",
                hint=f"Set PAYMENT_PROVIDER to one of: {known}.",
                id="payments.E001",
            )
        ]
    path = settings.PAYMENT_GATEWAYS[name]
    try:
        import_string(path)
    except ImportError as error:
        return [
            Error(
                f"settings.PAYMENT_GATEWAYS[{name!r}] is {path!r}: {error}",
                hint="Give the dotted path of a gateway class.",
                id="payments.E001",
            )
        ]
    return []
