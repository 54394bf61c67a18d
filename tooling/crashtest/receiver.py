"""One of the shop's own systems, which takes webhooks, or refuses them as long as it is told to."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_TAKEN, _REFUSED = 204, 503


class Receiver:
    """What arrived, by the id of the event."""

    def __init__(self) -> None:
        self.port = 0
        #: How often each event was taken.
        self.taken: Counter[str] = Counter()
        self.refuses = False
        #: Refuses what it has not seen before, so that everything is sent twice.
        self.refuses_first = False
        self._seen: set[str] = set()

    @property
    def url(self) -> str:
        """Return the address to which webhooks are sent."""
        return f"http://127.0.0.1:{self.port}/hooks"

    def answer(self, event_id: str) -> int:
        """Return the HTTP status for an event that has arrived."""
        is_new = event_id not in self._seen
        self._seen.add(event_id)
        if self.refuses or (self.refuses_first and is_new):
            return _REFUSED
        self.taken[event_id] += 1
        return _TAKEN


@contextmanager
def listening() -> Iterator[Receiver]:
    """Run a receiver on a free port of the loopback."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.answer(self.headers["webhook-id"]))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the output for the cases."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
