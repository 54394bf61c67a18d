"""Idempotency keys: the first answer of a key is the answer of that key.

Source: Stripe API reference, "Idempotent requests": results are saved once execution began,
whatever they are; other parameters under a used key are an error; so is a key in flight.
"""

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tooling.fakepay.errors import Refusal, idempotency_error
from tooling.fakepay.journal import Journal


@dataclass(frozen=True)
class Answer:
    """A status and a body; an undelivered one is stored, and its connection dropped."""

    status: int
    body: Mapping[str, Any]
    delivered: bool = True


class Keys:
    """Which keys are in flight, and what the finished ones were answered."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._in_flight: dict[str, str] = {}
        self._answers: dict[str, tuple[str, Answer]] = {}

    def claim(self, key: str, request: str) -> Answer | None:
        """Claim ``key`` for a request, or return the answer that it had the first time.

        Raises:
            Refusal: the key was used with other parameters, or is in flight.
        """
        with self._lock:
            if key in self._answers:
                first, answer = self._answers[key]
                if first != request:
                    raise idempotency_error()
                return answer
            if key in self._in_flight:
                if self._in_flight[key] != request:
                    raise idempotency_error()
                raise Refusal(
                    409,
                    kind="idempotency_error",
                    code="idempotency_key_in_use",
                    message="Another request with this key is being executed.",
                )
            self._in_flight[key] = request
            return None

    def store(self, key: str, answer: Answer) -> None:
        """Keep the first answer of a claimed key for ever."""
        with self._lock:
            request = self._in_flight.pop(key)
            self._journal.append(
                "answer", key=key, request=request, status=answer.status, body=answer.body
            )
            # Only the first delivery is dropped; whoever asks again is answered.
            self._answers[key] = (request, Answer(answer.status, answer.body))

    def release(self, key: str) -> None:
        """Forget a claimed key: its request was turned away before it was executed."""
        with self._lock:
            self._in_flight.pop(key, None)

    def replay(self, event: Mapping[str, Any]) -> None:
        """Take an ``answer`` event in again."""
        self._answers[event["key"]] = (event["request"], Answer(event["status"], event["body"]))


def fingerprint(method: str, path: str, parameters: Mapping[str, Any]) -> str:
    """Return what two equal requests have in common."""
    text = json.dumps([method, path, parameters], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
