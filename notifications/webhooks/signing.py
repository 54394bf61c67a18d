"""Signatures by which a receiver knows that a request is ours, and new.

A secret is derived from a seed in the database and a key in the settings: neither of the two
gives it away alone.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from django.conf import settings

_PREFIX = "whsec_"


def new_seed() -> str:
    """Return what a new secret is derived from."""
    return secrets.token_hex(32)


def secret_of(seed: str) -> str:
    """Return the secret as its receiver keeps it: ``whsec_`` and the key in base64."""
    return _PREFIX + base64.b64encode(_key(seed)).decode()


def signatures(seeds: Sequence[str], *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header ``webhook-signature``, with one signature for each secret in force.

    Args:
        message_id: the header ``webhook-id``.
        timestamp: the header ``webhook-timestamp``, in seconds since 1970.
        body: the very bytes that are sent.
    """
    signed = b".".join([message_id.encode(), str(timestamp).encode(), body])
    digests = (hmac.new(_key(seed), signed, hashlib.sha256).digest() for seed in seeds)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _key(seed: str) -> bytes:
    return hmac.new(settings.WEBHOOK_KEY.encode(), seed.encode(), hashlib.sha256).digest()
