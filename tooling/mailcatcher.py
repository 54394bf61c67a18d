"""A mail server that keeps every mail as a file and sends none on.

    python -m tooling.mailcatcher --port 1025 --directory .data/run/mail

Each mail appears whole (written aside, then renamed) as ``NNNN-<message id>.eml``, in the
order of arrival; a restart goes on counting. One line is printed when the port is open.
"""

import argparse
import asyncio
import re
import signal
from email.parser import BytesHeaderParser
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

_UNSAFE = re.compile(r"[^A-Za-z0-9.@_-]+")


class Catcher:
    """The aiosmtpd handler: a mail is taken over only once its file is there."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        taken = (path.name.partition("-")[0] for path in directory.glob("*.eml"))
        self._count = max((int(number) for number in taken if number.isdigit()), default=0)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content or b""
        self.keep(content if isinstance(content, bytes) else content.encode())
        return "250 OK"

    def keep(self, content: bytes) -> Path:
        """Write one mail and return its file."""
        self._count += 1
        header = BytesHeaderParser().parsebytes(content)
        name = _UNSAFE.sub("_", str(header.get("Message-ID", "none")).strip("<> "))[:120]
        path = self._directory / f"{self._count:04d}-{name}.eml"
        aside = self._directory / f".{path.name}.part"
        aside.write_bytes(content)
        return aside.rename(path)


async def serve(host: str, port: int, directory: Path) -> None:
    """Catch mails until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    catcher = Catcher(directory)
    server = await loop.create_server(lambda: SMTP(catcher, loop=loop), host, port)
    async with server:
        port = server.sockets[0].getsockname()[1]
        print(f"mailcatcher ready on {host}:{port}, keeping mails in {directory}", flush=True)
        await stopped.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--directory", type=Path, required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.host, given.port, given.directory))


if __name__ == "__main__":
    main()
