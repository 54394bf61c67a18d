"""Run the fake provider until SIGTERM or Ctrl-C."""

import argparse
import signal
import threading
from pathlib import Path
from types import FrameType

from tooling.fakepay.journal import Journal
from tooling.fakepay.provider import Provider
from tooling.fakepay.server import Server


def main() -> None:
    """Serve, say one line when ready, and stop in order."""
    parser = argparse.ArgumentParser(prog="python -m tooling.fakepay")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--webhook-url", default="", help="where events are sent; none if empty")
    parser.add_argument("--webhook-secret", default="", help="signs them")
    given = parser.parse_args()
    provider = Provider(
        Journal(given.journal), webhook_url=given.webhook_url, webhook_secret=given.webhook_secret
    )
    server = Server((given.host, given.port), provider)

    def stop(signum: int, frame: FrameType | None) -> None:
        # shutdown() waits for serve_forever(), which runs in this very thread.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"fakepay ready on http://{given.host}:{server.server_address[1]}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()


if __name__ == "__main__":
    main()
