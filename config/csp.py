"""Content-Security-Policy: strict everywhere, with what Unfold needs in the admin only.

Unfold's Alpine evaluates expressions and its templates set styles inline; the documentation
page sets styles inline and draws its icons from data URLs. Scripts are never inline.
"""

from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware
from django.http import HttpRequest, HttpResponseBase

POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
#: Path prefix -> what is added to the policy.
_MORE = {
    "/admin/": {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]},
    "/api/v1/docs": {"style-src": [UNSAFE_INLINE]},
}


class PolicyByPath(CSPMiddleware):
    """Adds what a path needs to the strict policy."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Set the header."""
        for prefix, more in _MORE.items():
            if request.path_info.startswith(prefix):
                response._csp_update = more  # type: ignore[attr-defined]
        answered: HttpResponseBase = super().process_response(request, response)
        return answered
