"""Lists, newest first, in pages; each intent with its charge if asked for."""

from collections.abc import Sequence
from itertools import dropwhile, islice

from tooling.fakepay import errors, forms
from tooling.fakepay.forms import Parameters
from tooling.fakepay.ledger import Ledger
from tooling.fakepay.objects import Object

_MOST, _USUALLY = 100, 10


def intents(ledger: Ledger, query: Parameters) -> Object:
    """Return a page of the intents created within ``created[gte]`` and ``created[lt]``."""
    created = query.get("created", {})
    since, before = _whole(created, "gte", 0), _whole(created, "lt", 2**62)
    chosen = [i for i in ledger.newest_first() if since <= i["created"] < before]
    listed = page(chosen, query, known=ledger.newest_first())
    listed["data"] = [_expanded(ledger, i, query, "data.latest_charge") for i in listed["data"]]
    return listed


def one(ledger: Ledger, intent: str, query: Parameters) -> Object:
    """Return one intent."""
    return _expanded(ledger, ledger.intent(intent), query, "latest_charge")


def page(
    chosen: Sequence[Object], query: Parameters, *, known: Sequence[Object] | None = None
) -> Object:
    """Return ``limit`` of what is chosen, behind ``starting_after``, which must be ``known``."""
    limit, after = _whole(query, "limit", _USUALLY), forms.text_of(query, "starting_after")
    if not 1 <= limit <= _MOST:
        raise errors.invalid("parameter_invalid_integer", "From 1 to 100.", parameter="limit")
    rest = iter(chosen)
    if after:
        if after not in [each["id"] for each in (chosen if known is None else known)]:
            raise errors.missing("starting_after", status=400)
        rest = islice(dropwhile(lambda each: each["id"] != after, rest), 1, None)
    shown = [*islice(rest, limit + 1)]
    return {"object": "list", "data": shown[:limit], "has_more": len(shown) > limit}


def _expanded(ledger: Ledger, intent: Object, query: Parameters, path: str) -> Object:
    asked_for = query.get("expand", {})
    if isinstance(asked_for, dict) and path in asked_for.values():
        return {**intent, "latest_charge": ledger.charge_of(intent)}
    return intent


def _whole(query: Parameters, name: str, otherwise: int) -> int:
    text = forms.text_of(query, name)
    if text and not text.isdecimal():
        raise errors.invalid("parameter_invalid_integer", "A whole number.", parameter=name)
    return int(text) if text else otherwise
