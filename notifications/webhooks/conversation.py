"""One request to an endpoint, and what its answer means."""

import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx
from django.conf import settings

from notifications.models import WebhookDelivery
from notifications.webhooks import guard, signing

_AGENT = "Makegood-Webhooks/1"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of a request; ``error`` is empty for a success."""

    status_code: int | None = None
    error: str = ""
    duration_ms: int = 0

    @property
    def is_good(self) -> bool:
        """Whether the endpoint took the event."""
        return not self.error

    @property
    def is_gone(self) -> bool:
        """Whether the endpoint wants no events any more."""
        return self.status_code == HTTPStatus.GONE


def post(delivery: WebhookDelivery, *, url: str, seeds: Sequence[str], now: float) -> Answer:
    """Send one event; to be called outside any transaction. It never raises for the other side.

    No redirect is followed and no answer is read but its status: both are the other side's.

    Args:
        seeds: of the secrets that sign.
        now: seconds since 1970; receivers refuse a signature that is minutes old.
    """
    begun = time.monotonic()
    try:
        status_code = _send(delivery, url, seeds, int(now))
        error = "" if httpx.codes.is_success(status_code) else f"status-{status_code}"
    except guard.NotAllowed as no:
        status_code, error = None, no.code
    except httpx.TimeoutException:
        status_code, error = None, "time-out"
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as failed:
        # Without its text, which may quote what the other side wrote.
        status_code, error = None, type(failed).__name__
    duration = round((time.monotonic() - begun) * 1000)
    return Answer(status_code=status_code, error=error, duration_ms=duration)


@cache
def _trusted() -> ssl.SSLContext:
    """Return whose certificates are trusted; reading them takes longer than a request."""
    return ssl.create_default_context()


def _send(delivery: WebhookDelivery, url: str, seeds: Sequence[str], timestamp: int) -> int:
    body, message_id = delivery.body.encode(), str(delivery.event_id)
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = guard.address_of(host, port)
    headers = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "User-Agent": _AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signing.signatures(
            seeds, message_id=message_id, timestamp=timestamp, body=body
        ),
    }
    limits = httpx.Timeout(settings.WEBHOOK_TIMEOUT, connect=settings.WEBHOOK_CONNECT_TIMEOUT)
    # No proxy of the environment: it would resolve the name again.
    with httpx.Client(
        timeout=limits, follow_redirects=False, trust_env=False, verify=_trusted()
    ) as client:
        request = client.build_request(
            "POST",
            httpx.URL(url).copy_with(host=address),
            content=body,
            headers=headers,
            # The certificate must be the name's, though the address is dialled.
            extensions={"sni_hostname": host},
        )
        answer = client.send(request, stream=True)
        answer.close()
    return answer.status_code
