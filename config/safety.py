"""What production refuses to start with. Each sentence says the mend."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

#: `make run`, `make demo` and `make test` leave this file beside the embedded servers' sockets.
EMBEDDED_MARKER = ".makegood-embedded"

_MINIMUM_SECRET_LENGTH = 50


STRIPE = "https://api.stripe.com"


@dataclass(frozen=True, kw_only=True)
class StripeAccess:
    """How Stripe is reached."""

    secret_key: str
    webhook_secrets: Sequence[str]
    api_base: str
    allow_test_key: bool


def is_embedded(socket_directory: str) -> bool:
    """Tell whether ``socket_directory`` holds the socket of an embedded server."""
    return socket_directory.startswith("/") and (Path(socket_directory) / EMBEDDED_MARKER).exists()


def refuse_unsafe_production(
    *,
    secret_key: str,
    debug: bool,
    allowed_hosts: Sequence[str],
    databases: Mapping[str, Mapping[str, Any]],
    broker_url: str,
    payment_provider: str,
    allow_fake: bool,
    chaos: bool,
    stripe: StripeAccess,
) -> None:
    """Raise ``ImproperlyConfigured`` with every reason why production may not start like this."""
    faults = []
    if len(secret_key) < _MINIMUM_SECRET_LENGTH:
        faults.append(
            f"SECRET_KEY is missing or shorter than {_MINIMUM_SECRET_LENGTH} characters; "
            "set a long random one."
        )
    if debug:
        faults.append("DEBUG is on; unset it.")
    if not allowed_hosts or "*" in allowed_hosts:
        faults.append("ALLOWED_HOSTS must list the host names that this site answers to.")
    if payment_provider == "fake" and not allow_fake:
        faults.append(
            "PAYMENT_PROVIDER is the fake one, which takes play money; name a real provider, "
            "or on a staging site set PAYMENT_ALLOW_FAKE=true."
        )
    if chaos:
        faults.append(
            "STAGING_CHAOS is on, which lets operators break checkouts on purpose; unset it, "
            "or on a staging site set MAKEGOOD_ENV=staging."
        )
    if payment_provider == "stripe":
        faults += _faults_of(stripe)
    for alias, database in databases.items():
        if is_embedded(str(database.get("HOST", ""))):
            faults.append(
                f"database {alias!r} is the embedded PostgreSQL; point its URL at a real server."
            )
    if is_embedded(str(Path(unquote(urlsplit(broker_url).path)).parent)):
        faults.append("BROKER_URL is the embedded Valkey; point it at a real broker.")
    if faults:
        raise ImproperlyConfigured("Production refuses to start: " + " ".join(faults))


def _faults_of(stripe: StripeAccess) -> Iterator[str]:
    kind, _, rest = stripe.secret_key.partition("_")
    if kind not in ("sk", "rk") or not rest.startswith(("live_", "test_")):
        yield "STRIPE_SECRET_KEY is missing, or no secret key; set sk_live_… or rk_live_…."
    elif rest.startswith("test_") and not stripe.allow_test_key:
        yield (
            "STRIPE_SECRET_KEY is a test key, which moves no money; set the live one, or on a "
            "staging site set STRIPE_ALLOW_TEST_KEY=true."
        )
    if not stripe.webhook_secrets or not all(
        s.startswith("whsec_") for s in stripe.webhook_secrets
    ):
        yield (
            "STRIPE_WEBHOOK_SECRETS is missing, or has something that is no signing secret; set "
            "the whsec_… of the webhook endpoint."
        )
    if stripe.api_base.rstrip("/") != STRIPE:
        yield f"STRIPE_API_BASE leads elsewhere; unset it, so that {STRIPE} is called."
