"""What is kept of an error holds no personal data."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from sagas.errors import note_of
from sagas.tests.toy import Refused


def test_one_of_ours_keeps_its_code_and_text() -> None:
    note = note_of(Refused("no ticket"))
    assert (note.code, note.message) == ("toy-refused", "no ticket")
    assert note.type == "sagas.tests.toy.Refused"


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (
            ValidationError("ada@lovelace.example is taken", code="unique"),
            "[<value>]",
        ),
        (ValueError("cannot mail ada@lovelace.example today"), "cannot mail <e-mail> today"),
        (KeyError("Ada Lovelace"), "<value>"),
        (ValueError('bad name "Ada"'), "bad name <value>"),
        (
            IntegrityError("null value in column\nDETAIL:  Failing row contains (ada@x.example)"),
            "null value in column",
        ),
    ],
)
def test_a_foreign_text_loses_what_may_be_personal(error: Exception, kept: str) -> None:
    assert note_of(error).message == kept


def test_a_long_text_is_cut() -> None:
    assert len(note_of(ValueError("x" * 9000)).message) == 500
