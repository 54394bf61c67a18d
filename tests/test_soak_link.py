"""A link between real sockets, in every trouble that the soak can make."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory

import pytest

from tooling.local.instance import free_port
from tooling.soak.link import Address, Link, State, Trouble

SOON = 0.3
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(params=["unix", "tcp"])
def addresses(request: pytest.FixtureRequest) -> Iterator[tuple[Address, Address]]:
    """Where the link listens, and where its server does."""
    if request.param == "tcp":
        yield Address(str(free_port())), Address(str(free_port()))
        return
    with TemporaryDirectory(prefix="mg") as folder:
        yield Address(f"{folder}/front/s"), Address(f"{folder}/s")


@dataclass
class Wire:
    """A link to a server that repeats what it hears; knows what that has heard so far."""

    link: Link
    front: Address
    heard: list[bytes] = field(default_factory=list)
    ends: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self) -> Pair:
        pair = await self.front.connect()
        self.ends.append(pair[1])
        return pair

    async def repeat(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ends.append(writer)
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                self.heard.append(data)
                writer.write(data)

    async def close(self) -> None:
        await self.link.change(State(trouble=Trouble.REFUSE))
        for end in self.ends:
            end.close()
            with suppress(ConnectionError):
                await end.wait_closed()


def _run(addresses: tuple[Address, Address], scenario: Callable[[Wire], Awaitable[None]]) -> None:
    front, behind = addresses

    async def whole() -> None:
        wire = Wire(Link(front, behind), front)
        if behind.is_path:
            server = await asyncio.start_unix_server(wire.repeat, behind.text)
        else:
            server = await asyncio.start_server(wire.repeat, "127.0.0.1", int(behind.text))
        await wire.link.start()
        try:
            await scenario(wire)
        finally:
            await wire.close()
            server.close()

    asyncio.run(asyncio.wait_for(whole(), 20))


async def _ask(pair: Pair, word: bytes = b"hello") -> bytes:
    pair[1].write(word)
    return await pair[0].readexactly(len(word))


async def _says_nothing(pair: Pair) -> bool:
    try:
        await asyncio.wait_for(pair[0].read(1), SOON)
    except TimeoutError:
        return True
    return False


async def _is_cut(pair: Pair) -> bool:
    try:
        return await pair[0].read(1) == b""
    except ConnectionError:
        return True


def test_a_link_without_trouble_passes_everything_on(addresses: tuple[Address, Address]) -> None:
    async def scenario(wire: Wire) -> None:
        pair = await wire.connect()
        assert await _ask(pair) == b"hello"
        large = bytes(300_000)
        assert await _ask(pair, large) == large

    _run(addresses, scenario)


def test_refused_cuts_what_is_there_and_lets_nobody_in(addresses: tuple[Address, Address]) -> None:
    async def scenario(wire: Wire) -> None:
        pair = await wire.connect()
        await _ask(pair)
        await wire.link.change(State(trouble=Trouble.REFUSE))
        assert await _is_cut(pair)
        with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
            await wire.connect()
        await wire.link.change(State())
        assert await _ask(await wire.connect()) == b"hello"

    _run(addresses, scenario)


def test_cut_breaks_once(addresses: tuple[Address, Address]) -> None:
    async def scenario(wire: Wire) -> None:
        pair = await wire.connect()
        await _ask(pair)
        await wire.link.change(State(trouble=Trouble.CUT))
        assert await _is_cut(pair)
        assert await _ask(await wire.connect()) == b"hello"

    _run(addresses, scenario)


def test_silent_accepts_and_says_nothing_until_it_is_over(
    addresses: tuple[Address, Address],
) -> None:
    async def scenario(wire: Wire) -> None:
        old = await wire.connect()
        await _ask(old)
        await wire.link.change(State(trouble=Trouble.SILENCE))
        new = await wire.connect()
        for pair in (old, new):
            pair[1].write(b"hello")
            assert await _says_nothing(pair)
        assert wire.heard == [b"hello"]
        await wire.link.change(State())
        for pair in (old, new):
            assert await pair[0].readexactly(5) == b"hello"

    _run(addresses, scenario)


def test_one_way_brings_requests_and_no_answers(addresses: tuple[Address, Address]) -> None:
    async def scenario(wire: Wire) -> None:
        pair = await wire.connect()
        await wire.link.change(State(trouble=Trouble.ONE_WAY))
        pair[1].write(b"hello")
        assert await _says_nothing(pair)
        assert wire.heard == [b"hello"]
        await wire.link.change(State())
        assert await _is_cut(pair)

    _run(addresses, scenario)


def test_delay_and_throttle_take_their_time(addresses: tuple[Address, Address]) -> None:
    async def scenario(wire: Wire) -> None:
        pair = await wire.connect()
        await wire.link.change(State(trouble=Trouble.THROTTLE, amount=100))
        begun = time.monotonic()
        await _ask(pair, bytes(20))
        assert time.monotonic() - begun >= 0.4
        await wire.link.change(State(trouble=Trouble.DELAY, amount=0.02))
        begun = time.monotonic()
        for _ in range(20):
            await _ask(pair)
        assert time.monotonic() - begun > 0.1

    _run(addresses, scenario)


def test_a_server_that_is_away_looks_like_one_that_hangs_up() -> None:
    async def scenario() -> None:
        front = Address(str(free_port()))
        wire = Wire(Link(front, Address(str(free_port()))), front)
        await wire.link.start()
        assert await _is_cut(await wire.connect())
        await wire.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))
