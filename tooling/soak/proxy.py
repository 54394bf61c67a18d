"""The proxies in front of every server, as a process of its own.

    python -m tooling.soak.proxy --control PATH NAME=LISTEN=UPSTREAM …

An address is the path of a unix socket or a TCP port on the loopback. Commands come over the
control socket, one JSON object a line: ``{"link": NAME, "trouble": "delay", "amount": 0.2}``;
each is answered by ``{}`` once it holds.
"""

import argparse
import asyncio
import json
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

from tooling.soak.link import Address, Link, State, Trouble

_CONTROL_SECONDS = 20.0


class Controls:
    """How the soak talks to the proxies."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def change(self, link: str, state: State) -> None:
        """Let a link be as ``state`` says; OSError if the proxy process is gone."""
        command = {"link": link, "trouble": state.trouble, "amount": state.amount}
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(_CONTROL_SECONDS)
            line.connect(str(self._path))
            line.sendall(json.dumps(command).encode() + b"\n")
            if not line.recv(16):
                raise ConnectionError(f"the proxy did not take {command}")

    def heal(self, link: str) -> None:
        """Let a link be well again."""
        self.change(link, State())


async def serve(control: Path, links: Mapping[str, Link]) -> None:
    """Serve until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)

    async def obey(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        command = json.loads(await reader.readline())
        state = State(trouble=Trouble(command["trouble"]), amount=float(command["amount"]))
        await links[command["link"]].change(state)
        writer.write(b"{}\n")
        await writer.drain()
        writer.close()

    for link in links.values():
        await link.start()
    Address(str(control)).clear()
    await asyncio.start_unix_server(obey, control)
    print(f"proxy ready with {', '.join(links)}", flush=True)
    await stopped.wait()


def main() -> None:
    """Read the links from the command line and serve them."""
    parser = argparse.ArgumentParser(prog="python -m tooling.soak.proxy")
    parser.add_argument("--control", type=Path, required=True)
    parser.add_argument("links", nargs="+", metavar="NAME=LISTEN=UPSTREAM")
    given = parser.parse_args()
    routes = [text.split("=") for text in given.links]
    links = {name: Link(Address(listen), Address(up)) for name, listen, up in routes}
    asyncio.run(serve(given.control, links))


if __name__ == "__main__":
    main()
