"""Idempotency keys: the first answer of a key is the answer of that key, for a day.

Source: Stripe API reference, "Idempotent requests": results are saved once execution began,
whatever they are; other parameters under a used key are an error; so is a key in flight; keys
that are 24 hours old are forgotten, and a request that comes later is a new one.
"""

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tooling.fakepay.errors import Refusal, idempotency_error, key_in_use
from tooling.fakepay.journal import Journal

#: Seconds after which a key is forgotten.
KEPT_FOR = 24 * 3600.0


@dataclass(frozen=True)
class Answer:
    """A status, a body and headers; an undelivered one is stored, and its connection dropped."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    delivered: bool = True

    @classmethod
    def of(cls, refusal: Refusal) -> "Answer":
        """Return the refusal as an answer."""
        return cls(refusal.status, refusal.body, refusal.headers)


@dataclass(frozen=True)
class _Stored:
    request: str
    answer: Answer
    at: float


class Keys:
    """Which keys are in flight, and what the finished ones were answered."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        #: Seconds by which tests have aged all keys.
        self._older = 0.0
        self._lock = threading.Lock()
        self._in_flight: dict[str, str] = {}
        self._answers: dict[str, _Stored] = {}

    def claim(self, key: str, request: str) -> Answer | None:
        """Claim ``key`` for a request, or return the answer that it had the first time.

        Raises:
            Refusal: the key was used with other parameters, or is in flight.
        """
        with self._lock:
            stored = self._answers.get(key)
            if stored and self._now() - stored.at < KEPT_FOR:
                if stored.request != request:
                    raise idempotency_error()
                return stored.answer
            if key in self._in_flight:
                raise key_in_use() if self._in_flight[key] == request else idempotency_error()
            self._in_flight[key] = request
            return None

    def store(self, key: str, answer: Answer) -> None:
        """Keep the first answer of a claimed key."""
        with self._lock:
            request, at = self._in_flight.pop(key), self._now()
            self._journal.append(
                "answer",
                key=key,
                request=request,
                status=answer.status,
                body=answer.body,
                headers=dict(answer.headers),
                stored_at=at,
            )
            # Only the first delivery is dropped; whoever asks again is answered.
            kept = Answer(answer.status, answer.body, answer.headers)
            self._answers[key] = _Stored(request, kept, at)

    def age(self, seconds: float) -> None:
        """Let all keys grow older at once; nothing else notices that time has passed."""
        with self._lock:
            self._journal.append("aged", seconds=seconds)
            self._older += seconds

    def release(self, key: str) -> None:
        """Forget a claimed key: its request was turned away before it was executed."""
        with self._lock:
            self._in_flight.pop(key, None)

    def replay(self, event: Mapping[str, Any]) -> None:
        """Take an ``answer`` or ``aged`` event in again."""
        if event["event"] == "aged":
            self._older += event["seconds"]
            return
        answer = Answer(event["status"], event["body"], event["headers"])
        self._answers[event["key"]] = _Stored(event["request"], answer, event["stored_at"])

    def _now(self) -> float:
        return time.time() + self._older


def fingerprint(method: str, path: str, parameters: Mapping[str, Any]) -> str:
    """Return what two equal requests have in common."""
    text = json.dumps([method, path, parameters], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
