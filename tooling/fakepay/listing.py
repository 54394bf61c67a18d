"""The list of payment intents, newest first, in pages; each with its charge if asked for."""

from collections.abc import Mapping
from itertools import dropwhile, islice
from typing import Any

from tooling.fakepay import errors
from tooling.fakepay.ledger import Ledger

Query = Mapping[str, str]
Object = dict[str, Any]

_MOST, _USUALLY = 100, 10


def page(ledger: Ledger, query: Query) -> Object:
    """Return a page of the intents created within ``created[gte]`` and ``created[lt]``."""
    since, before = _whole(query, "created[gte]", 0), _whole(query, "created[lt]", 2**62)
    limit, after = _whole(query, "limit", _USUALLY), query.get("starting_after", "")
    if not 1 <= limit <= _MOST:
        raise errors.invalid("parameter_invalid_integer", "From 1 to 100.", parameter="limit")
    intents = iter(ledger.newest_first())
    if after:
        # The page begins behind it; an intent that nobody has is an error.
        intents = dropwhile(lambda intent: intent["id"] != after, intents)
        if next(intents, None) is None:
            raise errors.missing("payment_intent", status=400)
    chosen = [*islice((i for i in intents if since <= i["created"] < before), limit + 1)]
    shown = [_expanded(ledger, i, query, "data.latest_charge") for i in chosen[:limit]]
    return {"object": "list", "data": shown, "has_more": len(chosen) > limit}


def one(ledger: Ledger, intent: str, query: Query) -> Object:
    """Return one intent."""
    return _expanded(ledger, ledger.intent(intent), query, "latest_charge")


def _expanded(ledger: Ledger, intent: Object, query: Query, path: str) -> Object:
    if query.get("expand[]") == path:
        return {**intent, "latest_charge": ledger.charge_of(intent)}
    return intent


def _whole(query: Query, name: str, otherwise: int) -> int:
    text = query.get(name, "")
    if text and not text.isdecimal():
        raise errors.invalid("parameter_invalid_integer", "A whole number.", parameter=name)
    return int(text) if text else otherwise
