"""The fake provider as a process that tests start, ask, kill and start again."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from django.conf import settings

_PATIENCE = 20.0


def eventually(is_so: Callable[[], object]) -> None:
    """Wait until ``is_so``; fail when it never comes true."""
    until = time.monotonic() + _PATIENCE
    while not is_so():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.01)


def _flat(body: Mapping[str, Any], outer: str = "") -> Iterator[tuple[str, str]]:
    for name, value in body.items():
        path = f"{outer}[{name}]" if outer else name
        if isinstance(value, Mapping):
            yield from _flat(value, path)
        else:
            yield path, str(value)


class FakeProvider:
    """One provider process with its journal; usable as soon as it is constructed."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self._port = 0
        self.start()

    def start(self) -> None:
        """Start on a free port, or again on the one that it had."""
        command = [sys.executable, "-m", "tooling.fakepay", "--port", str(self._port)]
        self.process = subprocess.Popen(
            [*command, "--journal", str(self.journal)],
            cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        ready = self.process.stdout.readline().strip()
        self.url = ready.rpartition(" ")[2]
        self._port = int(self.url.rpartition(":")[2])
        self.http = httpx.Client(
            base_url=self.url, timeout=30.0, headers={"Authorization": "Bearer sk_test_tests"}
        )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the process by a signal and return its exit code."""
        self.http.close()
        self.process.send_signal(how)
        code = self.process.wait(timeout=_PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def post(
        self, path: str, body: Mapping[str, Any] | None = None, *, key: str = ""
    ) -> httpx.Response:
        """Send one POST of the provider's own API, form-encoded as Stripe wants it."""
        headers = {"Idempotency-Key": key} if key else {}
        return self.http.post(path, data=dict(_flat(body or {})), headers=headers)

    def provoke(self, what: str, **parameters: Any) -> Mapping[str, Any]:
        """Use one of the test helpers and return its answer."""
        answer = self.post(f"/v1/test_helpers/{what}", parameters).raise_for_status().json()
        assert isinstance(answer, dict)
        return answer

    def get(self, path: str) -> Any:
        """Return the body of one GET."""
        return self.http.get(path).raise_for_status().json()

    def advance(self) -> None:
        """Let all seconds pass that the provider waits for."""
        self.post("/v1/test_helpers/advance").raise_for_status()

    def intents_of(self, payment: UUID) -> Sequence[str]:
        """Return the ids of all intents that were made for a payment of ours."""
        query = f"metadata['payment_id']:'{payment}'"
        found = self.get(f"/v1/payment_intents/search?query={query}")["data"]
        return [intent["id"] for intent in found]

    def captures(self, intent: str) -> Sequence[Mapping[str, Any]]:
        """Return every time that money was taken for an intent."""
        made: Sequence[Mapping[str, Any]] = self.get("/v1/ledger")["captures"].get(intent, [])
        return made

    def refunded(self, intent: str) -> int:
        """Return the minor units that were given back of an intent."""
        refunds = self.get(f"/v1/refunds?payment_intent={intent}")["data"]
        return sum(refund["amount"] for refund in refunds)

    def events(self, event: str) -> Sequence[Mapping[str, Any]]:
        """Return the journal's events of one kind, oldest first."""
        lines = [json.loads(line) for line in self.journal.read_text().splitlines()]
        return [line for line in lines if line["event"] == event]

    def begun(self, verb: str, intent: str) -> int:
        """Return how often a verb was executed on an intent."""
        return sum(e["verb"] == verb and e["intent"] == intent for e in self.events("begun"))
