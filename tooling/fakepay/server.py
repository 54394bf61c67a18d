"""The provider over HTTP/1.1: keep-alive, one thread a connection, forms in and JSON out."""

import json
import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tooling.fakepay import bankpage, errors, forms, objects
from tooling.fakepay.errors import Refusal
from tooling.fakepay.idempotency import Answer
from tooling.fakepay.provider import Provider
from tooling.fakepay.provoke import authenticate, provoke

_LARGEST_BODY = 1_000_000
_FORM = "application/x-www-form-urlencoded"


class Server(ThreadingHTTPServer):
    """Serves one provider."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], provider: Provider) -> None:
        self.provider = provider
        super().__init__(address, Handler)
        provider.calls.public_url = f"http://{address[0]}:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One connection: journals each request as it arrives, then answers it."""

    server: Server
    protocol_version = "HTTP/1.1"
    # Small answers would wait for the client's delayed acknowledgement otherwise.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self._note({})
        try:
            match url.path.strip("/").split("/"):
                case ["health"]:
                    self._send(Answer(200, {"status": "ok"}))
                case ["v1", "ledger"]:
                    self._send(Answer(200, self.server.provider.ledger.everything()))
                case ["3ds", intent]:
                    page = bankpage.page_of(self.server.provider.ledger.intent(intent))
                    self._send_page(page.encode())
                case _:
                    self._authorise()
                    query = forms.parse(url.query)
                    self._send(Answer(200, self.server.provider.get(url.path, query)))
        except Refusal as refusal:
            self._send(Answer.of(refusal))

    def do_POST(self) -> None:
        provider, path = self.server.provider, self.path.strip("/").split("/")
        try:
            parameters = self._parameters()
            self._note(parameters)
            if path[0] == "3ds":
                self._leave_the_bank(path[1], forms.text_of(parameters, "outcome"))
                return
            if path[:2] == ["v1", "test_helpers"]:
                self._send(Answer(200, provoke(provider, path[2:], parameters)))
                return
            self._authorise()
        except Refusal as refusal:
            self._send(Answer.of(refusal))
            return
        key = self.headers.get("Idempotency-Key", "")
        answer, replayed = provider.post(self.path, key, parameters)
        provider.webhooks.settle_before_reply()
        if answer.delivered:
            self._send(answer, replayed=replayed)
        else:
            self._hang_up()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: the journal has every request."""

    def _authorise(self) -> None:
        if not self.headers.get("Authorization", "").startswith("Bearer sk_test_"):
            raise errors.unauthorised()

    def _note(self, parameters: dict[str, Any]) -> None:
        if self.path == "/health":
            return
        self.server.provider.journal.append(
            "request",
            method=self.command,
            path=self.path,
            key=self.headers.get("Idempotency-Key", ""),
            version=self.headers.get("Stripe-Version", ""),
            parameters=parameters,
        )

    def _parameters(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= _LARGEST_BODY:
            self.close_connection = True
            raise errors.invalid("body_too_large", "Too large.", parameter="body", status=413)
        body = self.rfile.read(length)
        if body and not self.headers.get("Content-Type", "").startswith(_FORM):
            raise errors.invalid("parameter_unknown", f"Send {_FORM}.", parameter="body")
        return forms.parse(body.decode(errors="replace"))

    def _leave_the_bank(self, intent: str, outcome: str) -> None:
        before = self.server.provider.ledger.intent(intent)
        after = authenticate(self.server.provider, intent, outcome)
        self.send_response(303)
        self.send_header("Location", bankpage.way_back(before, after))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_page(self, page: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def _send(self, answer: Answer, *, replayed: bool = False) -> None:
        body = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Request-Id", objects.new_id("req"))
        if version := self.headers.get("Stripe-Version", ""):
            self.send_header("Stripe-Version", version)
        if replayed:
            self.send_header("Idempotent-Replayed", "true")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        try:
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            # The client gave up waiting; its answer is stored under its key.
            self.close_connection = True

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
