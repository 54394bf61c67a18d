"""The provider: which call a request is, and once an idempotency key."""

import re
from collections.abc import Callable

from tooling.fakepay import errors, forms, listing
from tooling.fakepay.calls import Calls
from tooling.fakepay.errors import Refusal
from tooling.fakepay.forms import Parameters
from tooling.fakepay.idempotency import Answer, Keys, fingerprint
from tooling.fakepay.journal import Journal
from tooling.fakepay.ledger import Ledger
from tooling.fakepay.objects import Object
from tooling.fakepay.webhooks import Webhooks

_QUERY = re.compile(r"metadata\['(?P<name>[a-z_]+)'\]:'(?P<value>[^']*)'")


class Provider:
    """Answers Stripe's calls; POSTs once an idempotency key."""

    #: Who executes what changes the ledger.
    executor: type[Calls] = Calls

    def __init__(
        self, journal: Journal, *, webhook_url: str = "", webhook_secret: str = ""
    ) -> None:
        self.journal = journal
        self.webhooks = Webhooks(journal, url=webhook_url, secret=webhook_secret)
        self.ledger = Ledger(journal, self.webhooks.tell)
        self.calls = self.executor(self.ledger)
        #: Requests that are still turned away by the rate limit, and what they are told.
        self.turned_away, self.retry_after = 0, 1
        self._keys = Keys(journal)
        for event in journal.events():
            match event["event"]:
                case "answer" | "aged":
                    self._keys.replay(event)
                case _:
                    self.ledger.replay(event)
        self.calls.resume()

    # One request ----------------------------------------------------------------------------

    def post(self, path: str, key: str, parameters: Parameters) -> tuple[Answer, bool]:
        """Execute a call once; the flag says whether its answer is a replay."""
        if self.is_rate_limited():
            return Answer.of(errors.rate_limited(self.retry_after)), False
        if not key:
            return self._execute(path, parameters)[0], False
        try:
            stored = self._keys.claim(key, fingerprint("POST", path, parameters))
        except Refusal as refusal:
            return Answer.of(refusal), False
        if stored is not None:
            return stored, True
        executed = False
        try:
            answer, executed = self._execute(path, parameters)
            if executed:
                self._keys.store(key, answer)
        finally:
            if not executed:
                self._keys.release(key)
        return answer, False

    def get(self, path: str, query: Parameters) -> Object:
        """Return what is asked for; Refusal if there is no such thing."""
        if self.is_rate_limited():
            raise errors.rate_limited(self.retry_after)
        match path.strip("/").split("/"):
            case ["v1", "payment_intents"]:
                return listing.intents(self.ledger, query)
            case ["v1", "payment_intents", "search"]:
                return self._search(query)
            case ["v1", "payment_intents", intent]:
                return listing.one(self.ledger, intent, query)
            case ["v1", "refunds"]:
                made = self.ledger.refunds_of(forms.text_of(query, "payment_intent"))
                return listing.page(made, query)
            case ["v1", "disputes"]:
                made = self.ledger.disputes_of(forms.text_of(query, "payment_intent"))
                return listing.page(made, query)
        raise errors.missing("resource")

    def is_rate_limited(self) -> bool:
        """Tell whether this request is one of those that a test wants turned away."""
        if not self.turned_away:
            return False
        self.turned_away -= 1
        return True

    def advance(self, *, keys_by: float = 0.0) -> None:
        """Let all seconds pass that anything waits for, so that no test has to sleep.

        The idempotency keys grow older by ``keys_by`` seconds.
        """
        if keys_by:
            self._keys.age(keys_by)
        self.calls.advance()
        self.webhooks.hurry()

    def _execute(self, path: str, parameters: Parameters) -> tuple[Answer, bool]:
        """Return the answer, and whether the request was begun."""
        try:
            return self._call_of(path)(parameters), True
        except Refusal as refusal:
            return Answer.of(refusal), refusal.executed

    def _call_of(self, path: str) -> Callable[[Parameters], Answer]:
        match path.strip("/").split("/"):
            case ["v1", "payment_intents"]:
                return self.calls.create
            case ["v1", "payment_intents", intent, "confirm"]:
                return lambda parameters: self.calls.confirm(intent, parameters)
            case ["v1", "payment_intents", intent, "capture"]:
                return lambda parameters: self.calls.capture(intent, parameters)
            case ["v1", "payment_intents", intent, "cancel"]:
                return lambda parameters: self.calls.cancel(intent, parameters)
            case ["v1", "refunds"]:
                return self.calls.refund
        raise errors.missing("resource")

    def _search(self, query: Parameters) -> Object:
        wanted = _QUERY.fullmatch(forms.text_of(query, "query"))
        if wanted is None:
            raise errors.invalid("parameter_invalid", "Ask for metadata.", parameter="query")
        found = [
            each
            for each in self.ledger.newest_first()
            if each["metadata"].get(wanted["name"]) == wanted["value"]
        ]
        return {**listing.page(found, query), "object": "search_result", "next_page": None}
