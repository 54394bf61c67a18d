"""What drf-spectacular cannot see: errors, which every view answers, and how 3.1 writes null.

Each operation lists every status that it answers with, so that the fuzz finds any other.
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from config.problem_types import PROBLEM_TYPES, type_uri
from config.problems import CONTENT_TYPE

_METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_OUR_FAULT = "5XX"
_DESCRIPTIONS: Mapping[str, str] = {
    "400": "The request is not valid; errors names each fault.",
    "401": "Nobody is signed in, or the credentials are not accepted.",
    "403": "A browser session without the CSRF token.",
    "404": "Nothing is there, or it belongs to someone else.",
    "406": "No such representation: accept application/json.",
    "413": "The body is too large; max_bytes says how many bytes are taken.",
    "415": "Send Content-Type: application/json.",
    _OUR_FAULT: "The fault is ours. Repeat the same request, with the same key, after Retry-After.",
}
_HEADERS: Mapping[str, Mapping[str, Any]] = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    _OUR_FAULT: {"Retry-After": {"schema": {"type": "string"}, "description": "In seconds."}},
}

_FAULT: Mapping[str, Any] = {
    "type": "object",
    "description": "One fault and its place: in the body, the query or a header.",
    "properties": {
        "pointer": {"type": "string", "examples": ["#/lines/0/quantity"]},
        "parameter": {"type": "string", "examples": ["available"]},
        "header": {"type": "string", "examples": ["Idempotency-Key"]},
        "detail": {"type": "string"},
        "code": {"type": "string", "examples": ["required"]},
    },
    "required": ["detail", "code"],
}
_PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "description": "Problem details (RFC 9457). Further members depend on the type.",
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "examples": [type_uri(code) for code in PROBLEM_TYPES],
        },
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}},
    },
    "required": ["type", "title", "status", "detail"],
    "additionalProperties": True,
}


def add_problem_responses(
    result: dict[str, Any], generator: object, request: object, public: bool
) -> dict[str, Any]:
    """Give every operation the errors that it may answer with (a POSTPROCESSING_HOOK).

    A status that a view declares keeps the view's description.
    """
    components = result.setdefault("components", {})
    components.setdefault("schemas", {}).update({"Problem": _PROBLEM, "Fault": _FAULT})
    for operations in result["paths"].values():
        for method, operation in operations.items():
            if method in _METHODS:
                _add_errors(method, operation)
    return result


def write_null_as_type(
    result: dict[str, Any], generator: object, request: object, public: bool
) -> dict[str, Any]:
    """Write ``nullable`` of OpenAPI 3.0, which DRF's pages still use, as 3.1 does."""
    for schema in result["components"]["schemas"].values():
        for each in schema.get("properties", {}).values():
            if each.pop("nullable", False):
                each["type"] = [each["type"], "null"]
    return result


def _add_errors(method: str, operation: dict[str, Any]) -> None:
    answers: dict[str, Any] = operation["responses"]
    for status in _statuses(method, operation):
        answers.setdefault(status, {"description": _DESCRIPTIONS[status]})
    operation["responses"] = dict(sorted(answers.items()))
    for status, answer in answers.items():
        if status == _OUR_FAULT or int(status) >= HTTPStatus.BAD_REQUEST:
            schema = {"$ref": "#/components/schemas/Problem"}
            answer["content"] = {CONTENT_TYPE: {"schema": schema}}
            if headers := _HEADERS.get(status):
                answer["headers"] = headers


def _statuses(method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    """Yield the errors that follow from what the operation takes."""
    places = {each["in"] for each in operation.get("parameters", [])}
    names = {each["name"] for each in operation.get("parameters", [])}
    has_body = "requestBody" in operation
    if has_body or "header" in places or ("query" in places and names != {"cursor"}):
        yield "400"
    if operation["security"] != [{}]:
        yield "401"
        if method != "get":
            yield "403"
    if "path" in places or "cursor" in names:
        yield "404"
    yield "406"
    if has_body:
        yield from ("413", "415")
    yield _OUR_FAULT
