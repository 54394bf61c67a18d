"""One of the shop's own systems: a real HTTP server that checks signatures in its own way.

The check is written after the words of https://www.standardwebhooks.com and shares no line with
what signs.
"""

import base64
import hmac
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def is_signed_with(self, secret: str) -> bool:
        """Tell whether one of the signatures is the secret's."""
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        text = f"{self.id}.{self.headers['webhook-timestamp']}.{self.body.decode()}"
        wanted = base64.b64encode(hmac.digest(key, text.encode(), "sha256")).decode()
        given = [each.split(",", 1) for each in self.headers["webhook-signature"].split(" ")]
        return any(version == "v1" and value == wanted for version, value in given)


@dataclass
class Receiver:
    """Answers what a test says: the list is used up, then everything is taken."""

    port: int = 0
    requests: list[Received] = field(default_factory=list)
    replies: list[int] = field(default_factory=list)
    #: Held back until it is set.
    may_reply: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?shop=1"

    @property
    def ids(self) -> list[str]:
        return [request.id for request in self.requests]


@contextmanager
def listening(*, certificate: Path | None = None) -> Iterator[Receiver]:
    """Run a receiver on a free port; over TLS if a file with certificate and key is given."""
    receiver = Receiver()
    receiver.may_reply.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.requests.append(Received(self.path, headers, body))
            receiver.arrived.set()
            receiver.may_reply.wait(20)
            status = receiver.replies.pop(0) if receiver.replies else 204
            self.send_response(status)
            if status in (301, 302, 307, 308):
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the tests' output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.may_reply.set()
        server.shutdown()
        server.server_close()
        thread.join()
