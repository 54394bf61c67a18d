"""Bodies without Content-Length, which Django would read as empty.

WSGI leaves it to the server whether it announces the end of a chunked body
(``wsgi.input_terminated``), and Django trusts Content-Length alone.
"""

import json
from collections.abc import Iterable
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING

from django.conf import settings

from config.problems import CONTENT_TYPE, problem

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class BoundedChunkedBodies:
    """WSGI middleware: read a chunked body, up to the limit, and hand it on with its length."""

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        encodings = environ.get("HTTP_TRANSFER_ENCODING", "").lower()
        if "chunked" not in encodings or not environ.get("wsgi.input_terminated"):
            return self._application(environ, start_response)
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = environ["wsgi.input"].read(limit + 1)
        if len(body) > limit:
            return _refuse(limit, start_response)
        whole = {**environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        return self._application(whole, start_response)


def _refuse(limit: int, start_response: "StartResponse") -> Iterable[bytes]:
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    detail = f"The body may have {limit} bytes at the most."
    answer = json.dumps(problem(status, "body-too-large", detail, max_bytes=limit)).encode()
    start_response(
        f"{status.value} {status.phrase}",
        [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(answer)))],
    )
    return [answer]
