"""The provider over HTTP/1.1: keep-alive, one thread a connection, JSON both ways."""

import json
import re
import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tooling.fakepay import errors, listing
from tooling.fakepay.errors import Refusal
from tooling.fakepay.idempotency import Answer
from tooling.fakepay.provider import Provider

_METADATA = re.compile(r"metadata\[(?P<name>[^\]]+)\]")
_LARGEST_BODY = 1_000_000


class Server(ThreadingHTTPServer):
    """Serves one provider."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], provider: Provider) -> None:
        self.provider = provider
        super().__init__(address, Handler)


class Handler(BaseHTTPRequestHandler):
    """One connection: journals each request as it arrives, then answers it."""

    server: Server
    protocol_version = "HTTP/1.1"
    # Small answers would wait for the client's delayed acknowledgement otherwise.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._note({})
        try:
            self._send(Answer(200, self._read()))
        except Refusal as refusal:
            self._send(Answer(refusal.status, refusal.body))

    def do_POST(self) -> None:
        try:
            parameters = self._parameters()
        except Refusal as refusal:
            self.close_connection = True
            self._send(Answer(refusal.status, refusal.body))
            return
        self._note(parameters)
        key = self.headers.get("Idempotency-Key", "")
        answer, replayed = self.server.provider.post(self.path, key, parameters)
        if answer.delivered:
            self._send(answer, replayed=replayed)
        else:
            self._hang_up()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: the journal has every request."""

    def _note(self, parameters: dict[str, Any]) -> None:
        if self.path == "/health":
            return
        self.server.provider.journal.append(
            "request",
            method=self.command,
            path=self.path,
            key=self.headers.get("Idempotency-Key", ""),
            parameters=parameters,
        )

    def _read(self) -> dict[str, Any]:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        ledger = self.server.provider.ledger
        match url.path.strip("/").split("/"):
            case ["health"]:
                return {"status": "ok"}
            case ["v1", "ledger"]:
                return ledger.everything()
            case ["v1", "payment_intents", "search"]:
                wanted = {m["name"]: v for k, v in query.items() if (m := _METADATA.fullmatch(k))}
                if not wanted:
                    raise errors.invalid("parameter_missing", "Give one.", parameter="metadata")
                return _list(ledger.intents_with(wanted))
            case ["v1", "payment_intents"]:
                return listing.page(ledger, query)
            case ["v1", "payment_intents", intent]:
                return listing.one(ledger, intent, query)
            case ["v1", "refunds"]:
                return _list(ledger.refunds_of(query.get("payment_intent", "")))
        raise errors.missing("resource")

    def _parameters(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= _LARGEST_BODY:
            raise errors.invalid("body_too_large", "Too large.", parameter="body", status=413)
        try:
            parameters = json.loads(self.rfile.read(length) or b"{}")
        except ValueError:
            parameters = None
        if not isinstance(parameters, dict):
            raise errors.invalid("invalid_json", "Send a JSON object.", parameter="body")
        return parameters

    def _send(self, answer: Answer, *, replayed: bool = False) -> None:
        body = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if replayed:
            self.send_header("Idempotent-Replayed", "true")
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


def _list(objects: Any) -> dict[str, Any]:
    return {"object": "list", "data": list(objects), "has_more": False}
