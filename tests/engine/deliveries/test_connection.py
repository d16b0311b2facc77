"""What a destination may answer on the wire, spelled byte for byte: on asyncio's own loop, and on uvloop as served."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from qsops.engine.core.attempts import Outcome
from qsops.engine.deliveries.places import Places
from qsops.engine.deliveries.port import KEEP_ALIVE_S, RESPONSE_LIMIT, Deliver, Delivery
from qsops.engine.deliveries.socket import SocketDeliveries
from qsops.engine.deliveries.tls import TlsDeliveries

Over = Callable[[int], AbstractAsyncContextManager[Deliver]]
BOUND_S = 60
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Wire:
    """A server that answers each request with the next of ``answers``, and hangs up where one is None."""

    answers: list[bytes | None]
    url: str = ""
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    talks: set[asyncio.Task] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        talk = asyncio.current_task()
        assert talk is not None
        self.talks.add(talk)
        try:
            while self.answers:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                answer = self.answers.pop(0)
                if answer is None:
                    break
                writer.write(answer)
                if b"close" in answer:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def wire(*answers: bytes | None, over: Over = SocketDeliveries) -> AsyncIterator[tuple[Wire, Callable]]:
    talk = Wire([*answers])
    server = await asyncio.start_server(talk.serve, "127.0.0.1", 0)
    talk.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, over(4) as deliver:

        async def send(path: str = "/", headers: tuple = (), method: str = "GET") -> Outcome:
            async with asyncio.timeout(BOUND_S):
                return await deliver(Delivery(method, talk.url + path, headers, b"", BOUND_S))

        yield talk, send
    await asyncio.gather(*talk.talks)


@asynccontextmanager
async def aiohttp_s(connections: int) -> AsyncIterator[TlsDeliveries]:
    """The client that is for TLS, which speaks without it as well."""
    deliver = TlsDeliveries(connections, Places())
    yield deliver
    await deliver.aclose()


WHOLE = {
    "length": (OK, b"ok"),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", b"ok"),
    "until the end": (b"HTTP/1.0 200 OK\r\nX: close\r\n\r\nok", b"ok"),
    "an early hint": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, b"ok"),
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "two cookies": (b"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n", b""),
}


@pytest.mark.parametrize("name", WHOLE)
async def test_an_answer_is_read_to_its_end(name: str):
    """However an answer says where it ends, all of it is taken, and what comes before it is passed over."""
    answer, body = WHOLE[name]
    async with wire(answer) as (_, send):
        outcome = await send()
    assert outcome.delivered, outcome
    assert outcome.body == body
    assert outcome.headers.count(("Set-Cookie", "b")) == (name == "two cookies")


BROKEN = {
    "nothing": None,
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nX: close",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX: close\r\n\r\nok",
    "half of the chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: close\r\n\r\n9\r\nok",
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 4_000 + b"\r\n",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_answer_is_an_outcome(name: str):
    """What is no whole answer of HTTP fails the attempt with a reason, and never counts as delivered."""
    async with wire(BROKEN[name]) as (talk, send):
        outcome = await send()
    assert (outcome.status, outcome.delivered) == (0, False)
    assert outcome.error
    assert len(talk.heads) == 1, "on a fresh connection no request is sent twice"


async def test_a_connection_is_kept():
    """Requests follow each other on one connection."""
    async with wire(OK, OK, OK) as (talk, send):
        assert [(await send()).body for _ in range(3)] == [b"ok"] * 3
        assert talk.connections == 1


async def test_a_connection_that_is_closed_is_not_used_again():
    """Who says close, or hangs up after an answer, is called anew."""
    closing = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    async with wire(closing, closing) as (talk, send):
        assert [(await send()).body for _ in range(2)] == [b"ok"] * 2
        assert talk.connections == 2


@pytest.mark.parametrize("over", [SocketDeliveries, aiohttp_s])
async def test_a_connection_that_closes_as_it_is_used_costs_no_attempt(over: Over):
    """A destination hung up on a kept connection before a byte of its answer: once more, on a fresh one."""
    async with wire(OK, None, OK, OK, over=over) as (talk, send):
        for _ in range(3):
            outcome = await send(method="POST")
            assert (outcome.body, outcome.error) == (b"ok", None)
        assert len(talk.heads) == 4


@pytest.mark.parametrize("over", [SocketDeliveries, aiohttp_s])
async def test_a_request_is_sent_once_more_at_most(over: Over):
    """A fresh connection that closes without an answer is an outcome, also after a kept one that did."""
    async with wire(OK, None, None, OK, over=over) as (talk, send):
        assert (await send(method="POST")).body == b"ok"
        outcome = await send(method="POST")
        assert outcome.status == 0
        assert "without an answer" in outcome.error or "Server disconnected" in outcome.error
        assert len(talk.heads) == 3


@pytest.mark.parametrize("over", [SocketDeliveries, aiohttp_s])
@pytest.mark.parametrize("name", ["no HTTP", "half a body", "half of the chunks"])
async def test_a_request_that_was_answered_is_not_sent_again(name: str, over: Over):
    """On a kept connection, too: once an answer has begun the destination has had its attempt."""
    async with wire(OK, BROKEN[name], OK, over=over) as (talk, send):
        assert (await send(method="POST")).body == b"ok"
        assert (await send(method="POST")).status == 0
        assert (talk.connections, len(talk.heads)) == (1, 2)


@pytest.mark.parametrize("name", ["half a head", "another protocol"])
async def test_the_first_byte_is_the_beginning_of_an_answer(name: str):
    """Over plain HTTP not even what never becomes a head is taken for a connection that was about to close."""
    async with wire(OK, BROKEN[name], OK) as (talk, send):
        assert (await send()).body == b"ok"
        assert (await send()).status == 0
        assert (talk.connections, len(talk.heads)) == (1, 2)


async def test_a_connection_that_lay_too_long_is_not_used(monkeypatch: pytest.MonkeyPatch):
    """Its destination may be about to hang up, even if nobody has come by yet to close it."""
    loop = asyncio.get_running_loop()
    async with wire(OK, OK, OK) as (talk, send):
        await send()
        await send()
        assert talk.connections == 1
        later_s = loop.time() + KEEP_ALIVE_S
        monkeypatch.setattr(loop, "time", lambda: later_s)
        assert (await send()).body == b"ok"
        assert talk.connections == 2


async def test_what_nobody_asked_for_is_no_answer():
    """Bytes behind an answer must not pass for the answer to the next request."""
    async with wire(OK + b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", OK) as (talk, send):
        assert [(await send()).status for _ in range(2)] == [200, 200]
        assert talk.connections == 2


async def test_a_long_answer_is_cut_and_its_connection_closed():
    """One mebibyte is kept; the rest is not waited for."""
    answer = b"HTTP/1.1 500 Oops\r\nContent-Length: 99999999\r\n\r\n" + b"x" * RESPONSE_LIMIT + b"yyy"
    async with wire(answer, OK) as (talk, send):
        assert (await send()).body == b"x" * RESPONSE_LIMIT
        assert (await send()).body == b"ok"
        assert talk.connections == 2


@pytest.mark.parametrize("header", [("X", "a\r\nY: b"), ("X\nY", "a"), ("X", "a\0")])
async def test_a_header_is_one_line(header: tuple[str, str]):
    """Whatever reaches the adapter, no header of a message becomes two."""
    async with wire(OK) as (talk, send):
        outcome = await send(headers=(header,))
    assert (outcome.status, talk.heads) == (0, [])
    assert "header" in (outcome.error or "")


async def test_the_request_line_and_host():
    """The path as given; a query without a path; a user as basic authorization, and never in the Host."""
    async with wire(OK, OK) as (talk, send):
        await send("/a%7Eb/../c?x=%20", method="PUT")
        host = talk.url.removeprefix("http://")
        talk.url = f"http://us%3Aer:pass@{host}"
        await send("?q")
    assert talk.heads[0].startswith(b"PUT /a%7Eb/../c?x=%20 HTTP/1.1\r\nHost: " + host.encode() + b"\r\n")
    assert b"Content-Length: 0\r\n" in talk.heads[0]
    assert talk.heads[1].startswith(b"GET /?q HTTP/1.1\r\nHost: " + host.encode() + b"\r\n")
    assert b"Authorization: Basic dXM6ZXI6cGFzcw==\r\n" in talk.heads[1]
