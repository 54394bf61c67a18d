"""Content-Security-Policy: an answer may load nothing, a page only what this site serves.

Scripts and styles are never inline. Unfold's Alpine evaluates expressions, so that the admin alone
may evaluate text as script; what else it would need is taken out by ``config.admin_theme``,
``console/theme.css`` and ``console/unfold.js``.
"""

from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL
from csp.middleware import CSPMiddleware
from django.http import HttpRequest, HttpResponseBase

POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "base-uri": [NONE],
        "form-action": [NONE],
        "frame-ancestors": [NONE],
    }
}
_PAGE = {
    "script-src": [SELF],
    "style-src": [SELF],
    # Style sheets of Unfold and of the documentation draw their icons from data URLs.
    "img-src": [SELF, "data:"],
    "font-src": [SELF],
    "connect-src": [SELF],
    "form-action": [SELF],
}
#: Path prefix of pages -> what takes the place of the strict directives.
_PAGES = {
    "/admin/": {**_PAGE, "script-src": [SELF, UNSAFE_EVAL]},
    "/api/v1/docs": _PAGE,
    "/unsubscribe/": {"style-src": [SELF], "img-src": [SELF], "form-action": [SELF]},
}


class PolicyByPath(CSPMiddleware):
    """Sets the header by the path of the request."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Set the header."""
        for prefix, directives in _PAGES.items():
            if request.path_info.startswith(prefix):
                response._csp_replace = directives  # type: ignore[attr-defined]
        answered: HttpResponseBase = super().process_response(request, response)
        return answered
