"""JSON bodies that cannot hurt: bounded in bytes, depth and digits, and free of what no
database column holds. Whatever is wrong is a 4xx that names the place."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from typing import IO, Any

from django.conf import settings
from django.http import UnreadablePostError
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

from config.pointers import Path, pointer

#: Levels of arrays and objects in one another; the API's own bodies have three.
_MAX_DEPTH = 32
#: PostgreSQL's bigint has 19 digits.
_MAX_DIGITS = 19
#: Faults that one answer lists at the most.
_MAX_FAULTS = 20
#: Characters of a pointer that is still said.
_MAX_POINTER = 300

_SURROGATE = re.compile("[\ud800-\udfff]")


class BodyTooLarge(APIException):
    """The body has more bytes than settings.DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    problem_type = "body-too-large"

    def __init__(self) -> None:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        super().__init__(f"The body may have {limit} bytes at the most.")
        self.extra = {"max_bytes": limit}


class MalformedBody(ParseError):
    """The body is not JSON, or not JSON that can be kept; ``errors`` names the places."""

    problem_type = "malformed-body"

    def __init__(self, detail: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(detail)
        self.errors = errors or []


@dataclass(frozen=True)
class _Fault:
    """Stands in the parsed document where something cannot be taken."""

    code: str
    detail: str
    key: str | None = None


class BoundedJSONParser(BaseParser):
    """DRF's JSON parser, made strict."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the document in ``stream``.

        Raises:
            BodyTooLarge: it is longer than the limit, whatever Content-Length says.
            MalformedBody: it is not JSON, or holds something that cannot be taken.
        """
        document = _decode(_read(stream))
        faults = [
            {**_place(path), "detail": fault.detail, "code": fault.code}
            for path, fault in islice(_faults_in(document), _MAX_FAULTS)
        ]
        if faults:
            raise MalformedBody(f"The body cannot be taken: {faults[0]['detail']}", faults)
        return document


def _read(stream: IO[bytes]) -> bytes:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    try:
        body = stream.read(limit + 1)
    except UnreadablePostError:
        raise MalformedBody("The body ended before its announced length.") from None
    if len(body) > limit:
        raise BodyTooLarge
    return body


def _decode(body: bytes) -> Any:
    try:
        # RFC 8259, 8.1: JSON between systems is UTF-8, whatever a charset parameter says.
        return json.loads(
            body.decode(),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise MalformedBody(f"The body is not UTF-8 (byte {error.start}).") from None
    except json.JSONDecodeError as error:
        raise MalformedBody(
            f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    except RecursionError:
        raise MalformedBody(_too_deep()) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Fault:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    double = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
    return _Fault("duplicate-key", f"the member {double[:64]!r} is there twice", key=double)


def _integer(digits: str) -> int | _Fault:
    if len(digits.lstrip("-")) > _MAX_DIGITS:
        return _Fault("number-too-large", f"a number has more than {_MAX_DIGITS} digits")
    return int(digits)


def _float(text: str) -> float | _Fault:
    number = float(text)
    return number if math.isfinite(number) else _Fault("number-too-large", "a number is too large")


def _constant(name: str) -> _Fault:
    return _Fault("not-a-number", f"{name} is not JSON")


def _faults_in(document: Any) -> Iterator[tuple[Path, _Fault]]:
    """Yield what cannot be taken, in the order of the document; without recursion."""
    waiting: list[tuple[Path, Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, _Fault):
            yield (path if value.key is None else (*path, value.key)), value
        elif isinstance(value, str):
            if fault := _fault_in_text(value):
                yield path, fault
        elif isinstance(value, dict | list):
            if len(path) >= _MAX_DEPTH:
                yield path, _Fault("too-deep", _too_deep())
                continue
            pairs = list(value.items() if isinstance(value, dict) else enumerate(value))
            waiting.extend(((*path, key), inner) for key, inner in reversed(pairs))
            for key, _ in pairs:
                if isinstance(key, str) and (fault := _fault_in_text(key)):
                    yield (*path, key), fault


def _place(path: Path) -> dict[str, str]:
    """Name the place, unless its own name is so long that the answer would outgrow the body."""
    place = pointer(path)
    return {"pointer": place} if len(place) <= _MAX_POINTER else {}


def _fault_in_text(text: str) -> _Fault | None:
    if "\x00" in text:
        return _Fault("null-character", "a text holds the NUL character")
    if _SURROGATE.search(text):
        return _Fault("lone-surrogate", "a text holds half of a surrogate pair")
    return None


def _too_deep() -> str:
    return f"the body nests more than {_MAX_DEPTH} levels"
