"""Whatever the body, the answer is never a 5xx, and says what is wrong where."""

import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings


def post(api: Client, body: bytes, **headers: str) -> Any:
    return api.post("/api/echo", body, content_type="application/json", headers=headers)


def fault(answer: Any) -> dict[str, str]:
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "/api/v1/problems/malformed-body"
    return dict(answer.json().get("errors", [{}])[0])


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (b'{"a": NaN}', "#/a", "not-a-number"),
        (b'{"a": [1, -Infinity]}', "#/a/1", "not-a-number"),
        (b'{"a": 1e999}', "#/a", "number-too-large"),
        (b'{"a": 12345678901234567890}', "#/a", "number-too-large"),
        (b'{"a": -' + b"9" * 5000 + b"}", "#/a", "number-too-large"),
        (b'{"a": {"b": "x\\u0000y"}}', "#/a/b", "null-character"),
        (b'{"a": "\\ud800"}', "#/a", "lone-surrogate"),
        (b'{"a\\u0000": 1}', "#/a%00", "null-character"),
        (b'{"\\udfff": 1}', "#/%3F", "lone-surrogate"),
        (b'{"a": [{"b": 1, "b": 2}]}', "#/a/0/b", "duplicate-key"),
        (b'{"a/b~c d": "\\u0000"}', "#/a~1b~0c%20d", "null-character"),
        (b'"\\u0000"', "#", "null-character"),
        (b"[" * 40 + b"]" * 40, "#" + "/0" * 32, "too-deep"),
    ],
)
def test_what_cannot_be_taken_is_named_with_its_place(
    api: Client, body: bytes, pointer: str, code: str
) -> None:
    found = fault(post(api, body))
    assert (found["pointer"], found["code"]) == (pointer, code)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"nope",
        b"\xff\xfe",
        b'{"a": "\xc3\x28"}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": 1} trailing',
        b"{'a': 1}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
)
def test_what_is_no_json_is_a_400(api: Client, body: bytes) -> None:
    if body:
        fault(post(api, body))
    else:
        assert post(api, body).status_code == 200, "no body at all is DRF's empty document"


def test_a_doubled_member_is_named(api: Client) -> None:
    assert "'sku'" in fault(post(api, b'{"sku": 1, "sku": 2}'))["detail"]


def test_every_fault_is_listed_up_to_a_limit(api: Client) -> None:
    answer = post(api, json.dumps(["\x00"] * 50).encode())
    assert len(answer.json()["errors"]) == 20


def test_a_pointer_does_not_blow_up_the_answer(api: Client) -> None:
    answer = post(api, json.dumps({"k" * 100_000: {"a": "\x00", "b": "\x00"}}).encode())
    assert "pointer" not in fault(answer)
    assert len(answer.content) < 2_000


def test_a_body_at_the_limit_passes_and_one_byte_more_does_not(
    api: Client, settings: Settings
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    assert post(api, b'"' + b"a" * 98 + b'"').status_code == 200

    answer = post(api, b'"' + b"a" * 99 + b'"')
    assert answer.status_code == 413
    assert answer.json()["type"] == "/api/v1/problems/body-too-large"
    assert answer.json()["max_bytes"] == 100


def test_json_is_utf_8_whatever_the_charset_says(api: Client) -> None:
    body = '"Straße"'.encode()
    for charset in ("latin-1", "bz2_codec", "no-such"):
        # Not post(), which would encode the bytes anew.
        answer = api.generic("POST", "/api/echo", body, f"application/json; charset={charset}")
        assert answer.json() == "Straße"


def test_a_valid_document_arrives_unchanged(api: Client) -> None:
    document = {"a": [1, 2.5, -9223372036854775808, None, True, "\U0001f600 ü\n"], "b": {"": []}}
    assert post(api, json.dumps(document).encode()).json() == document


_documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
)


@hypothesis_settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.binary(max_size=200) | _documents.map(lambda value: json.dumps(value).encode()))
def test_no_body_whatever_is_a_5xx(api: Client, body: bytes) -> None:
    answer = post(api, body)
    assert answer.status_code in {200, 400}
    assert isinstance(answer.content, bytes)
