"""What drf-spectacular cannot see: the errors, which no view declares and every view answers."""

from collections.abc import Mapping
from typing import Any

from config.problem_types import PROBLEM_TYPES, type_uri
from config.problems import CONTENT_TYPE

_METHODS = frozenset({"get", "post", "put", "patch", "delete"})

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
    """Give every operation the problem as its default response (a POSTPROCESSING_HOOK)."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {}).update({"Problem": _PROBLEM, "Fault": _FAULT})
    components.setdefault("responses", {})["Problem"] = {
        "description": "What went wrong; its type says what to do about it.",
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for operations in result["paths"].values():
        for method, operation in operations.items():
            if method in _METHODS:
                answers = operation.setdefault("responses", {})
                answers.setdefault("default", {"$ref": "#/components/responses/Problem"})
    return result
