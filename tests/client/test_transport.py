"""The adapter over HTTP, spelled byte for byte: the same whether a request goes over httpx or, as pages do, aiohttp."""

import asyncio
import gzip
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from qsops.client import HttpTransport
from qsops.client import transport as transport_module
from qsops.errors import OutcomeUnknown, SettingsError, Unreachable
from qsops.wire.http import Request
from qsops.wire.logs import EVENTS_PATH, LOGS_PATH

OVER_HTTPX, OVER_AIOHTTP = "/v2/keys", EVENTS_PATH
BOTH = pytest.mark.parametrize("path", [OVER_HTTPX, OVER_AIOHTTP, LOGS_PATH])
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BOUND_S = 60.0


@dataclass
class Service:
    """Answers each request with the next of ``answers``, None for silence; after one that is cut it hangs up."""

    answers: list[bytes | None] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                answer = self.answers.pop(0)
                if answer is None:
                    await reader.read()
                    return
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Taken, so that nobody else listens there, and not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def asked(path: str, query: str = "", **headers: str) -> Request:
    return Request("GET", path, query, tuple(headers.items()))


@BOTH
async def test_a_request_goes_out_as_it_is_spelled(service: Service, path: str):
    """Neither library escapes again, folds a path or drops a header; the answer comes back whole, with its headers."""
    service.answers = [
        b"HTTP/1.1 418 No\r\nX-One: 1\r\nx-one: gr\xc3\xbc\xc3\x9fe\r\nContent-Length: 4\r\n\r\n\x00\xff{}"
    ]
    query = "cursor=%7Ea%2f..&label=a+b&url=https://one.example/a/../b?c"
    async with aclosing(HttpTransport(f"{service.url}/")) as transport:
        answer = await transport.send(asked(path, query, Authorization="Bearer tökèn"))
    first, *headers = service.requests[0].split(b"\r\n")
    assert first == f"GET {path}?{query} HTTP/1.1".encode()
    assert "Authorization: Bearer tökèn".encode() in headers
    assert (answer.status, answer.body) == (418, b"\x00\xff{}")
    assert answer.headers == (("X-One", "1"), ("x-one", "grüße"), ("Content-Length", "4"))


@pytest.mark.parametrize(
    ("path", "is_installed", "library"),
    [(OVER_HTTPX, True, b"httpx"), (OVER_AIOHTTP, True, b"aiohttp"), (OVER_AIOHTTP, False, b"httpx")],
)
async def test_pages_come_over_aiohttp_where_it_is_installed(
    service: Service, monkeypatch: pytest.MonkeyPatch, path: str, is_installed: bool, library: bytes
):
    """The deployed service has no aiohttp, and needs none."""
    if not is_installed:
        monkeypatch.setattr(transport_module, "find_spec", lambda _: None)
    service.answers = [FINE]
    async with aclosing(HttpTransport(service.url)) as transport:
        await transport.send(asked(path))
    assert library in service.requests[0].lower().partition(b"user-agent:")[2].partition(b"\r\n")[0]


def test_who_reads_no_pages_loads_no_aiohttp():
    """A tenth of a second that `qsops doctor` should not take."""
    code = (
        "import sys, qsops.client; qsops.client.HttpTransport('http://x.invalid'); sys.exit('aiohttp' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@BOTH
async def test_what_comes_compressed_is_unpacked(service: Service, path: str):
    """A page in gzip is asked for, and is the page."""
    body = gzip.compress(b'{"events":[]}')
    service.answers = [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body]
    async with aclosing(HttpTransport(service.url)) as transport:
        assert (await transport.send(asked(path))).body == b'{"events":[]}'
    assert b"gzip" in service.requests[0].lower().partition(b"accept-encoding:")[2].partition(b"\r\n")[0]


@BOTH
async def test_a_redirect_is_an_answer(service: Service, path: str):
    """Nobody is sent elsewhere with the token."""
    service.answers = [b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", FINE]
    async with aclosing(HttpTransport(service.url)) as transport:
        assert (await transport.send(asked(path))).status == 302
    assert len(service.requests) == 1


@BOTH
async def test_a_connection_is_kept(service: Service, path: str):
    """One after the other goes over the same connection."""
    service.answers = [FINE, FINE, FINE]
    async with aclosing(HttpTransport(service.url)) as transport:
        for _ in range(3):
            await transport.send(asked(path))
    assert service.connections == 1


@BOTH
async def test_nobody_there_is_unreachable(path: str, closed_port: int):
    """Nothing was sent, which the error says with what to do."""
    async with aclosing(HttpTransport(f"http://127.0.0.1:{closed_port}", if_unreachable="start one")) as transport:
        with pytest.raises(
            Unreachable, match=r"no connection to http://127\.0\.0\.1:\d+: Client.*|Connect.*; start one"
        ):
            await transport.send(asked(path))


@BOTH
@pytest.mark.parametrize(
    "cut", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"no HTTP\r\n\r\n"]
)
async def test_an_answer_that_is_lost_is_unknown_and_not_asked_for_again(service: Service, path: str, cut: bytes):
    """Over a connection that was kept, too, where a library may send again by itself: the pace counts each request."""
    service.answers = [FINE, cut]
    async with aclosing(HttpTransport(service.url)) as transport:
        await transport.send(asked(path))
        with pytest.raises(
            OutcomeUnknown, match=r"GET to http://127\.0\.0\.1:\d+ was sent, but its answer was lost: \w+"
        ):
            await asyncio.wait_for(transport.send(asked(path)), BOUND_S)
    assert len(service.requests) == 2


@BOTH
async def test_an_answer_that_does_not_come_is_unknown(service: Service, path: str):
    """Whoever waits for it waits for its bound, and no longer."""
    service.answers = [None]
    async with aclosing(HttpTransport(service.url, timeout_s=1)) as transport:
        with pytest.raises(OutcomeUnknown, match="its answer was lost"):
            await asyncio.wait_for(transport.send(asked(path)), BOUND_S)


@BOTH
async def test_a_header_that_cannot_be_sent_is_a_mistake(service: Service, path: str):
    """A token with a line break would be a header of its own."""
    service.answers = [FINE]
    async with aclosing(HttpTransport(service.url)) as transport:
        with pytest.raises(SettingsError, match="cannot be sent"):
            await transport.send(asked(path, Authorization="Bearer a\r\nX-Other: b"))
    assert service.requests == []


@BOTH
@pytest.mark.parametrize("name", ["http_proxy", "ALL_PROXY"])
async def test_a_proxy_of_the_environment_is_asked(
    service: Service, monkeypatch: pytest.MonkeyPatch, path: str, name: str
):
    """For another machine every request goes to the proxy, pages too; for this one none does."""
    monkeypatch.setenv(name, service.url)
    service.answers = [FINE]
    async with aclosing(HttpTransport("http://qstash.invalid")) as transport:
        assert (await transport.send(asked(path))).status == 200
    assert b"Host: qstash.invalid" in service.requests[0]


@BOTH
async def test_no_proxy_is_asked_for_this_machine(
    service: Service, monkeypatch: pytest.MonkeyPatch, path: str, closed_port: int
):
    """A local engine is never behind one."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    service.answers = [FINE]
    async with aclosing(HttpTransport(service.url)) as transport:
        assert (await transport.send(asked(path))).status == 200
