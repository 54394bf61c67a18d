"""Bodies and queries as Stripe takes them: form-encoded, members of members in brackets.

``metadata[payment_id]=7&expand[0]=charge`` is {"metadata": {"payment_id": "7"}, "expand":
{"0": "charge"}}; every value is a text.
"""

import re
from collections.abc import Mapping, Set
from typing import Any
from urllib.parse import parse_qsl

from tooling.fakepay import errors

Parameters = Mapping[str, Any]

_NAME = re.compile(r"(?P<first>[a-z_0-9]+)(?P<rest>(?:\[[A-Za-z_0-9-]*\])*)")
_LARGEST_AMOUNT = 10**8  # Stripe takes up to eight digits


def parse(text: str) -> dict[str, Any]:
    """Return the parameters of a body or a query; Refusal for a name that cannot be read."""
    parameters: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        found = _NAME.fullmatch(name)
        if found is None:
            raise errors.invalid("parameter_unknown", f"Unknown: {name[:64]}", parameter=name[:64])
        path = [found["first"], *re.findall(r"\[([^\]]*)\]", found["rest"])]
        inner = parameters
        for step in path[:-1]:
            inner = inner.setdefault(step, {})
            if not isinstance(inner, dict):
                raise errors.invalid("parameter_invalid", "A text and a map.", parameter=name)
        inner[path[-1]] = value
    return parameters


def only(parameters: Parameters, known: Set[str]) -> None:
    """Refuse, as Stripe does, what the call does not know."""
    for name in parameters:
        if name not in known | {"expand"}:
            raise errors.invalid(
                "parameter_unknown", f"Received unknown parameter: {name}", parameter=name
            )


def text_of(parameters: Parameters, name: str) -> str:
    """Return a text, empty if it is not there."""
    value = parameters.get(name, "")
    if not isinstance(value, str):
        raise errors.invalid("parameter_invalid", "Must be a string.", parameter=name)
    return value


def amount_of(parameters: Parameters, name: str = "amount") -> int:
    """Return a positive number of minor units."""
    value = text_of(parameters, name)
    if not re.fullmatch(r"\d{1,12}", value) or not 0 < int(value) < _LARGEST_AMOUNT:
        raise errors.invalid(
            "parameter_invalid_integer", "A positive number of minor units.", parameter=name
        )
    return int(value)


def metadata_of(parameters: Parameters) -> dict[str, str]:
    """Return the metadata; empty if there is none."""
    value = parameters.get("metadata", {})
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise errors.invalid("parameter_invalid", "Strings by name.", parameter="metadata")
    return value


def method_of(parameters: Parameters) -> tuple[str, str]:
    """Return the payment method and the name of its parameter; empty if none was sent."""
    data = parameters.get("payment_method_data", {})
    if data and text_of(data, "type") == "card":
        token = text_of(data.get("card", {}), "token")
        return token, "payment_method_data[card][token]"
    for name in ("payment_method", "confirmation_token"):
        if given := text_of(parameters, name):
            return given, name
    return "", "payment_method"
