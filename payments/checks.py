"""System checks of the payment settings: each has an id and says the mend."""

import re
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
                hint=f"Set it to one of: {known or 'none yet'}; stripe needs STRIPE_SECRET_KEY.",
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


@register
def check_listener(**_: Any) -> Sequence[CheckMessage]:
    """PAYMENT_LISTENER must name a function that can be imported."""
    try:
        import_string(settings.PAYMENT_LISTENER)
    except ImportError as error:
        return [
            Error(
                f"settings.PAYMENT_LISTENER is {settings.PAYMENT_LISTENER!r}: {error}",
                hint="Give the dotted path of a function that takes a saga's id.",
                id="payments.E005",
            )
        ]
    return []


@register
def check_stripe(**_: Any) -> Sequence[CheckMessage]:
    """Where Stripe is the provider, it must be reachable, and its webhooks be verifiable."""
    if settings.PAYMENT_PROVIDER != "stripe":
        return []
    faults: list[CheckMessage] = []
    if not re.fullmatch(r"(sk|rk)_(live|test)_\w+", settings.STRIPE_SECRET_KEY):
        faults.append(
            Error(
                "STRIPE_SECRET_KEY is missing, or no secret key of Stripe.",
                hint="Set the sk_… or rk_… of your account (not the publishable pk_…).",
                id="payments.E002",
            )
        )
    secrets = settings.STRIPE_WEBHOOK_SECRETS
    if not secrets or not all(secret.startswith("whsec_") for secret in secrets):
        faults.append(
            Error(
                "STRIPE_WEBHOOK_SECRETS is missing, or has something that is no signing secret.",
                hint="Set the whsec_… of the webhook endpoint; two of them while it is rotated.",
                id="payments.E003",
            )
        )
    if settings.PAYMENT_READ_TIMEOUT >= settings.OUTSIDE_STEP_TIME_LIMIT:
        faults.append(
            Error(
                "PAYMENT_READ_TIMEOUT is not below OUTSIDE_STEP_TIME_LIMIT.",
                hint="Lower it, so that a call ends before its step is cut off.",
                id="payments.E004",
            )
        )
    return faults
