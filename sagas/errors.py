"""What may be kept of an error: its type, its code and a message without personal data."""

import re
from dataclasses import dataclass

from django.db import Error as DatabaseError

_MESSAGE_LIMIT = 500
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True)
class ErrorNote:
    """The part of an exception that is saved on the saga and shown to staff."""

    type: str
    code: str
    message: str


def note_of(error: Exception) -> ErrorNote:
    """Describe ``error`` so that it can be kept.

    An exception whose class declares a ``code`` is one of ours, and its text was written to
    be read (others, such as Django's ValidationError, carry one on the instance and quote
    what was typed). Any other text may quote a row, an address or a token, so that quoted parts and
    e-mail addresses are taken out; of a database error only the primary line is kept
    (PostgreSQL repeats the row's values in DETAIL).
    """
    code = getattr(type(error), "code", "")
    if isinstance(code, str) and code:
        return ErrorNote(_name(error), code, str(error)[:_MESSAGE_LIMIT])
    text = str(error)
    if isinstance(error, DatabaseError):
        text = text.partition("\n")[0]
    text = _EMAIL.sub("<e-mail>", _QUOTED.sub("<value>", text))
    return ErrorNote(_name(error), "", text[:_MESSAGE_LIMIT])


def _name(error: Exception) -> str:
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{module}{kind.__qualname__}"
