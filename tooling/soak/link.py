"""One link between us and a server, and the ways in which it can be broken."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_CHUNK = 65536


class Trouble(StrEnum):
    """What is wrong with a link."""

    NONE = "none"
    #: Nobody listens, and what was connected is cut.
    REFUSE = "refuse"
    #: What is connected is cut, once; new connections are fine.
    CUT = "cut"
    #: Connections are accepted and nothing passes in either direction; what was sent comes later.
    SILENCE = "silence"
    #: Requests arrive, answers do not; at the end the connections break.
    ONE_WAY = "one-way"
    #: Every chunk takes a while.
    DELAY = "delay"
    #: So many bytes a second.
    THROTTLE = "throttle"


@dataclass(frozen=True, kw_only=True)
class State:
    """How a link is doing; ``amount`` is seconds at the most for DELAY, bytes/s for THROTTLE."""

    trouble: Trouble = Trouble.NONE
    amount: float = 0.0


@dataclass(frozen=True)
class Address:
    """Where somebody listens: ``/a/path`` for a unix socket, else a TCP port on the loopback."""

    text: str

    @property
    def is_path(self) -> bool:
        """Whether it is a unix socket."""
        return self.text.startswith("/")

    def clear(self) -> None:
        """Make room for a unix socket, where an earlier listener may have left one."""
        path = Path(self.text)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.unlink(missing_ok=True)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection; OSError if nobody listens."""
        if self.is_path:
            return await asyncio.open_unix_connection(self.text)
        return await asyncio.open_connection("127.0.0.1", int(self.text))


class Link:
    """Listens at one address, passes everything on to another, as well as its state allows."""

    def __init__(self, listen: Address, upstream: Address) -> None:
        self._listen, self._upstream = listen, upstream
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._state = State()
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Begin to listen."""
        if self._listen.is_path:
            self._listen.clear()
            self._server = await asyncio.start_unix_server(self._serve, self._listen.text)
        else:
            self._server = await asyncio.start_server(
                self._serve, "127.0.0.1", int(self._listen.text)
            )

    async def change(self, state: State) -> None:
        """Let the link be as ``state`` says from now on."""
        before, self._state = self._state, state
        if state.trouble is Trouble.REFUSE and self._server is not None:
            self._server.close()
            self._server = None
        elif state.trouble is not Trouble.REFUSE and self._server is None:
            await self.start()
        breaks = state.trouble in (Trouble.REFUSE, Trouble.CUT)
        if breaks or before.trouble is Trouble.ONE_WAY:
            self.cut()
        if state.trouble is Trouble.CUT:
            self._state = State()
        self._changed.set()
        self._changed = asyncio.Event()

    def cut(self) -> None:
        """Break every connection off."""
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            # A frozen server, too, accepts; it says nothing.
            await self._may_pass(0, answer=False)
            there, here = await self._upstream.connect()
        except OSError:
            self._open.discard(writer)
            writer.transport.abort()
            return
        self._open.add(here)
        ways = (self._pump(reader, here, answer=False), self._pump(there, writer, answer=True))
        try:
            await asyncio.gather(*ways)
        finally:
            for end in (writer, here):
                self._open.discard(end)
                end.transport.abort()

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, answer: bool
    ) -> None:
        with suppress(OSError):
            while data := await source.read(_CHUNK):
                if self._state.trouble is not Trouble.NONE:
                    await self._may_pass(len(data), answer=answer)
                target.write(data)
                await target.drain()
        # Whichever side has ended, the other one is told; what was written is still sent.
        with suppress(OSError):
            target.close()

    async def _may_pass(self, size: int, *, answer: bool) -> None:
        """Wait until ``size`` bytes may go on."""
        while self._state.trouble is Trouble.SILENCE or (
            answer and self._state.trouble is Trouble.ONE_WAY
        ):
            await self._changed.wait()
        if self._state.trouble is Trouble.DELAY:
            await asyncio.sleep(random.uniform(0, self._state.amount))
        elif self._state.trouble is Trouble.THROTTLE:
            await asyncio.sleep(size / self._state.amount)
