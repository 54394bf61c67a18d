"""How the Stripe SDK's requests travel: over httpx, with a time-out for each phase of a call.

The SDK's own clients tell neither the phases apart nor whether a request was sent at all; on that
rests the difference between "nothing was done" and "nobody knows".
"""

import atexit
from collections.abc import Mapping
from typing import Any

import httpx
import stripe

#: What httpx raises before it has sent a byte of the request.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class NoAnswer(stripe.APIConnectionError):
    """It was sent, and no whole answer came."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(type(cause).__name__)  # type: ignore[no-untyped-call]


class NeverSent(NoAnswer):
    """The request did not reach the provider."""


class Transport(stripe.HTTPClient):
    """The SDK's port for HTTP libraries; threads of one process share its connections.

    Args:
        connect: seconds to wait for a connection.
        read: seconds to wait for each part of the answer, and to send the request.
        proxies: whether the environment's proxies are used.
    """

    name = "httpx"

    def __init__(self, *, connect: float, read: float, proxies: bool) -> None:
        super().__init__()
        timeout = httpx.Timeout(read, connect=connect)
        self._http = httpx.Client(timeout=timeout, trust_env=proxies)
        atexit.register(self._http.close)

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Send one request; the SDK reads the answer.

        Raises:
            NeverSent: nothing was sent.
            NoAnswer: it was sent, and no whole answer came.
        """
        try:
            answer = self._http.request(method, url, headers=headers, content=post_data)
            return answer.content.decode(), answer.status_code, answer.headers
        except _NEVER_SENT as error:
            raise NeverSent(error) from error
        except (httpx.TransportError, httpx.DecodingError, UnicodeDecodeError) as error:
            raise NoAnswer(error) from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
