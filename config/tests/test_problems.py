"""Every error is a problem with a stable type and the place of each fault."""

import json
import logging
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from pytest_django import Settings

from config.parsers import BodyTooLarge, MalformedBody
from config.problem_types import PREFIX, PROBLEM_TYPES
from sagas.checkout.problems import CheckoutProblem


def problem_in(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert (found["type"], found["status"]) == (PREFIX + code, status)
    assert found["title"]
    assert found["detail"]
    return found


def places(found: dict[str, Any]) -> set[tuple[str, str]]:
    return {(error["pointer"], error["code"]) for error in found["errors"]}


def test_faults_in_nested_bodies_have_json_pointers(api: Client) -> None:
    body = {
        "lines": [{"sku": "A", "quantity": 1}, {"quantity": 0}, {"sku": "ODD", "quantity": 1}],
        "tags": [1, "two"],
    }
    found = problem_in(api.post("/api/cart", body, "application/json"), 400, "validation-error")
    assert places(found) == {
        ("#/email", "required"),
        ("#/lines/1/sku", "required"),
        ("#/lines/1/quantity", "min_value"),
        ("#/lines/2", "odd"),
        ("#/tags/1", "invalid"),
    }
    assert found["instance"] == "/api/cart"
    assert found["detail"] == "The request has 5 faults; see errors."


def test_the_instance_is_a_uri_reference_whatever_was_asked_for(client: Client) -> None:
    """RFC 9457, 3.1.5; the path reached us decoded."""
    found = problem_in(client.get("/api/v1/problems/%C3%9C%20b%22"), 404, "not-found")
    assert found["instance"] == "/api/v1/problems/%C3%9C%20b%22"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"email": "bad@example.com", "lines": []}, {("#", "invalid")}),
        ({"email": "a@example.com", "lines": "x"}, {("#/lines", "not_a_list")}),
        ({"email": "a@example.com", "lines": [7]}, {("#/lines/0", "invalid")}),
        ([1, 2], {("#", "invalid")}),
        ("text", {("#", "invalid")}),
        (None, {("#", "null")}),
    ],
)
def test_a_fault_of_the_whole_points_to_the_whole(
    api: Client, body: Any, expected: set[tuple[str, str]]
) -> None:
    answer = api.post("/api/cart", json.dumps(body), "application/json")
    assert places(problem_in(answer, 400, "validation-error")) == expected


def test_a_fault_in_the_query_names_the_parameter(api: Client) -> None:
    found = problem_in(api.get("/api/cart?available=x"), 400, "validation-error")
    assert found["errors"] == [
        {"parameter": "available", "detail": "choose", "code": "invalid"},
        {"detail": "too vague", "code": "invalid"},
    ]


def test_an_exception_may_bring_its_own_type_title_members_and_faults(api: Client) -> None:
    found = problem_in(api.get("/api/raises/price"), 409, "price-changed")
    assert found["title"] == "Another price"
    assert found["detail"] == "The total is 1250 EUR now."
    assert found["total"] == {"amount": 1250, "currency": "EUR"}
    assert places(found) == {("#/expected_total", "changed")}


def test_nobody_signed_in_is_a_401_that_says_how(api: Client) -> None:
    answer = api.get("/api/private")
    problem_in(answer, 401, "not-authenticated")
    assert answer["WWW-Authenticate"] == "Token"


@pytest.mark.django_db
def test_a_wrong_token_is_a_401(api: Client) -> None:
    answer = api.get("/api/private", headers={"Authorization": "Token wrong"})
    problem_in(answer, 401, "authentication-failed")
    assert answer["WWW-Authenticate"] == "Token"


def test_what_django_raises_in_a_view_says_nothing_of_our_models(api: Client) -> None:
    missing = problem_in(api.get("/api/raises/missing"), 404, "not-found")
    forbidden = problem_in(api.get("/api/raises/forbidden"), 403, "permission-denied")
    assert "Secret" not in missing["detail"]
    assert "cellar" not in forbidden["detail"]


def test_a_wrong_method_keeps_its_allow_header(api: Client) -> None:
    answer = api.delete("/api/cart")
    problem_in(answer, 405, "method-not-allowed")
    assert answer["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_an_unknown_representation_is_a_406(api: Client) -> None:
    problem_in(api.get("/api/cart", headers={"Accept": "text/csv"}), 406, "not-acceptable")


def test_another_media_type_is_a_415(api: Client) -> None:
    answer = api.post("/api/cart", {"email": "a@example.com"})
    problem_in(answer, 415, "unsupported-media-type")


def test_a_throttled_request_keeps_its_retry_after(api: Client) -> None:
    answer = api.get("/api/raises/throttled")
    problem_in(answer, 429, "throttled")
    assert answer["Retry-After"] == "7"


def test_the_errors_of_an_html_page_are_problems_too(api: Client) -> None:
    problem_in(api.get("/api/page/missing"), 404, "not-found")


@pytest.mark.django_db(databases=["default"], transaction=True)
def test_a_lost_database_is_a_503_that_may_be_repeated(
    api: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answers = [api.get("/api/database-lost"), api.get("/api/database-lost")]
    connections["default"].close()

    for answer in answers:
        found = problem_in(answer, 503, "temporarily-unavailable")
        assert answer["Retry-After"] == "5"
        assert "terminating" not in found["detail"]
    assert caplog.text.count("database_does_not_answer") == 2


def test_a_bug_is_a_500_that_tells_nothing_of_itself(api: Client) -> None:
    for path in ("/api/raises/bug", "/api/plain/500"):
        answer = api.get(path)
        problem_in(answer, 500, "internal-error")
        assert "ada" not in answer.text


def test_what_django_answers_itself_under_api_is_a_problem(api: Client) -> None:
    problem_in(api.get("/api/v1/no-such-thing"), 404, "not-found")
    problem_in(api.get("/api/plain/403"), 403, "permission-denied")
    problem_in(api.get("/api/plain/400"), 400, "bad-request")
    problem_in(api.get("/api/raises/suspicious"), 400, "bad-request")
    problem_in(api.get("/api/cart", headers={"Host": "evil.example"}), 400, "bad-request")


def test_a_missing_csrf_token_under_api_is_a_problem(api: Client, settings: Settings) -> None:
    settings.CSRF_FAILURE_VIEW = "config.problems.csrf_failure"
    strict = Client(enforce_csrf_checks=True)
    problem_in(strict.post("/api/plain/csrf"), 403, "permission-denied")
    assert strict.post("/page/csrf")["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("status", [400, 403, 500])
def test_pages_outside_the_api_keep_djangos_error_pages(api: Client, status: int) -> None:
    answer = api.get(f"/page/{status}")
    assert answer.status_code == status
    assert answer["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("code", PROBLEM_TYPES)
def test_every_type_has_a_page_that_says_the_mend(client: Client, code: str) -> None:
    answer = client.get(PREFIX + code)
    known = PROBLEM_TYPES[code]
    assert answer.json() == {
        "type": PREFIX + code,
        "title": known.title,
        "status": known.status,
        "mend": known.mend,
    }


@pytest.mark.parametrize("kind", [*CheckoutProblem.__subclasses__(), BodyTooLarge, MalformedBody])
def test_every_problem_that_the_code_raises_is_listed_with_its_status(
    kind: type[CheckoutProblem | BodyTooLarge | MalformedBody],
) -> None:
    assert PROBLEM_TYPES[kind.problem_type].status == kind.status_code


def test_an_unknown_type_has_no_page(client: Client) -> None:
    problem_in(client.get(f"{PREFIX}no-such"), 404, "not-found")
