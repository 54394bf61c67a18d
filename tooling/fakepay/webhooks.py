"""Events out: signed deliveries to one address, as careless as Stripe may be.

Stripe promises neither the order of events, nor that each comes once, nor that it comes after
the reply; whatever is not answered by a 2xx is sent again. ``Manner`` provokes each of these.
Source: https://docs.stripe.com/webhooks, "Verify webhook signatures manually" and "Best practices".
"""

import hmac
import json
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any
from urllib.error import HTTPError

from tooling.fakepay import objects
from tooling.fakepay.journal import Journal
from tooling.fakepay.objects import Object

_TIMEOUT = 10.0
#: Seconds before the second, third, … delivery of an event; then it is given up.
_AGAIN_AFTER = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How events are delivered.

    Args:
        copies: how often each one is sent.
        delay: seconds before the first delivery.
        hold: keep all of them until they are released.
        before_reply: deliver before the request that caused them is answered.
    """

    copies: int = 1
    delay: float = 0.0
    hold: bool = False
    before_reply: bool = False


class Webhooks:
    """One endpoint; without an address nothing is sent, and events are journalled only."""

    def __init__(self, journal: Journal, *, url: str = "", secret: str = "") -> None:
        self._journal = journal
        self.url, self.secret, self.manner = url, secret, Manner()
        self._changed = threading.Condition()
        self._held: list[Object] = []
        self._waiting: dict[threading.Timer, Object] = {}
        self._under_way = 0

    def tell(self, kind: str, about: Object) -> None:
        """Make an event of what became of an object, and send it in the manner that is set."""
        event = objects.event(kind, about, at=time.time())
        self._journal.append("event", id=event["id"], kind=kind, object=about["id"])
        if not self.url:
            return
        if self.manner.hold:
            with self._changed:
                self._held.append(event)
            return
        for _ in range(self.manner.copies):
            self._send_later(event, self.manner.delay, attempt=0)

    def set(self, url: str, secret: str, manner: Mapping[str, Any]) -> None:
        """Choose address (``off`` for none), secret and manner; what was held is kept."""
        self.url, self.secret = url or self.url, secret or self.secret
        if url == "off":
            self.url = ""
        self.manner = replace(Manner(), **manner)

    def release(self, *, reverse: bool) -> None:
        """Deliver what was held, one after another, in order or in the opposite one."""
        with self._changed:
            held, self._held = self._held, []
        for event in reversed(held) if reverse else held:
            self._deliver(event, attempt=0)

    def hurry(self) -> None:
        """Deliver now what waits for its time."""
        for timer, event in self._take_waiting():
            timer.cancel()
            self._deliver(event, attempt=0)

    def settle_before_reply(self) -> None:
        """Wait until nothing is under way, if that is the manner."""
        if self.manner.before_reply:
            with self._changed:
                self._changed.wait_for(lambda: not self._under_way, timeout=_TIMEOUT)

    def _take_waiting(self) -> Sequence[tuple[threading.Timer, Object]]:
        with self._changed:
            taken = list(self._waiting.items())
            self._waiting.clear()
            self._under_way -= len(taken)
        return taken

    def _send_later(self, event: Object, seconds: float, *, attempt: int) -> None:
        def send() -> None:
            with self._changed:
                if self._waiting.pop(timer, None) is None:
                    return  # was hurried
            try:
                self._deliver(event, attempt=attempt)
            finally:
                with self._changed:
                    self._under_way -= 1
                    self._changed.notify_all()

        timer = threading.Timer(seconds, send)
        timer.daemon = True
        with self._changed:
            self._waiting[timer] = event
            self._under_way += 1
        timer.start()

    def _deliver(self, event: Object, *, attempt: int) -> None:
        body = json.dumps(event).encode()
        status = _post(self.url, body, signature(body, self.secret, at=time.time()))
        self._journal.append("delivery", id=event["id"], kind=event["type"], status=status)
        if not 200 <= status < 300 and attempt < len(_AGAIN_AFTER):
            self._send_later(event, _AGAIN_AFTER[attempt], attempt=attempt + 1)


def signature(body: bytes, secret: str, *, at: float) -> str:
    """Return the ``Stripe-Signature`` of a body."""
    signed = f"{int(at)}.".encode() + body
    return f"t={int(at)},v1={hmac.new(secret.encode(), signed, sha256).hexdigest()}"


def _post(url: str, body: bytes, signed: str) -> int:
    """Return the status of the answer, 0 if there was none."""
    headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signed}
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    # Proxies of the environment are for the outside world.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIMEOUT) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0
