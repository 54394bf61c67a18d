"""Errors as problem details (RFC 9457), whoever raises them: a view, Django or the database.

An ``APIException`` may carry, by attribute: ``problem_type`` (a kebab-case code), ``title``,
``errors`` (entries as below) and ``extra`` (a dict of further members).
"""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.encoding import escape_uri_path
from django.views import csrf, defaults
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler

from config.pointers import Path, pointer
from config.problem_types import title_of, type_uri

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"

#: Seconds after which a request that met an unreachable database is worth repeating.
_RETRY_AFTER = 5

#: DRF's codes whose own names say too little; all others only change _ to -.
_CODES = {"invalid": "validation-error", "parse_error": "malformed-body", "error": "internal-error"}

#: Under these names an error belongs to the whole object, not to a field.
_WHOLE = frozenset({api_settings.NON_FIELD_ERRORS_KEY, "__all__"})


class Unavailable(exceptions.APIException):
    """A database cannot be reached, or did not answer in time."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_detail = "A part of the shop does not answer just now. Nothing is lost; try again."
    problem_type = "temporarily-unavailable"
    wait = _RETRY_AFTER


def problem(status: int, code: str, detail: str, **members: Any) -> dict[str, Any]:
    """Return the members of a problem details object."""
    return {
        "type": type_uri(code),
        "title": title_of(code),
        "status": status,
        "detail": detail,
        **members,
    }


def problem_details(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """Answer ``exc`` as a problem; None for a bug, which Django reports and answers with a 500.

    This is DRF's EXCEPTION_HANDLER. Headers that DRF would set are kept.
    """
    error = _as_api_exception(exc, context)
    response = exception_handler(error, dict(context))
    if response is None or not isinstance(error, exceptions.APIException):
        return None
    request = context["request"]
    response.data = _members_of(error, response.status_code, request)
    response.content_type = CONTENT_TYPE
    # Whatever the view renders, its errors are JSON: an HTML page has no template for them.
    request.accepted_renderer = JSONRenderer()
    request.accepted_media_type = JSONRenderer.media_type
    return response


def _as_api_exception(exc: Exception, context: Mapping[str, Any]) -> Exception:
    match exc:
        case OperationalError() | InterfaceError():
            log.error(
                "database_does_not_answer",
                error=type(exc).__name__,
                cause=type(exc.__cause__).__name__,
                view=type(context["view"]).__name__,
            )
            return Unavailable()
        case Http404():
            return exceptions.NotFound()  # without its text, which names our models
        case PermissionDenied():
            return exceptions.PermissionDenied()
    return exc


def _members_of(
    error: exceptions.APIException, status: int, request: HttpRequest
) -> dict[str, Any]:
    code = getattr(error, "problem_type", None) or _code_of(error)
    errors = list(getattr(error, "errors", ()))
    detail = str(error.detail)
    if isinstance(error.detail, list | dict):
        errors = errors or list(_flatten(error.detail, in_query=request.method in {"GET", "HEAD"}))
        count = len(errors)
        detail = f"The request has {count} fault{'s' if count != 1 else ''}; see errors."
    members = problem(status, code, detail, instance=escape_uri_path(request.path))
    if title := getattr(error, "title", None):
        members["title"] = title
    return {**members, **({"errors": errors} if errors else {}), **getattr(error, "extra", {})}


def _code_of(error: exceptions.APIException) -> str:
    return _CODES.get(error.default_code, error.default_code.replace("_", "-"))


def _flatten(detail: Any, *, in_query: bool, path: Path = ()) -> Iterator[dict[str, str]]:
    """Yield one entry for each fault in DRF's nested lists and dicts, with the place of each."""
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            deeper = path if key in _WHOLE else (*path, key)
            yield from _flatten(inner, in_query=in_query, path=deeper)
    elif isinstance(detail, Sequence) and not isinstance(detail, str):
        for index, inner in enumerate(detail):
            # A list of texts tells the faults of one place, any other list has places of its own.
            deeper = path if isinstance(inner, str) else (*path, index)
            yield from _flatten(inner, in_query=in_query, path=deeper)
    else:
        place = {"parameter": str(path[0])} if in_query and path else {"pointer": pointer(path)}
        yield {
            **({} if in_query and not path else place),
            "detail": str(detail),
            "code": getattr(detail, "code", None) or "invalid",
        }


# Django's own errors, outside any API view ------------------------------------------------


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def _problem_response(status: int, code: str, detail: str) -> JsonResponse:
    return JsonResponse(problem(status, code, detail), status=status, content_type=CONTENT_TYPE)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400"""
    if _is_api(request):
        return _problem_response(400, "bad-request", "The request is not usable.")
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403"""
    if _is_api(request):
        return _problem_response(403, "permission-denied", "This is not allowed.")
    return defaults.permission_denied(request, exception)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW"""
    if _is_api(request):
        return _problem_response(403, "permission-denied", "The CSRF token is missing or wrong.")
    return csrf.csrf_failure(request, reason)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404"""
    if _is_api(request):
        return _problem_response(404, "not-found", "There is no such resource.")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500"""
    if _is_api(request):
        return _problem_response(500, "internal-error", "The fault is ours and was reported.")
    return defaults.server_error(request)
