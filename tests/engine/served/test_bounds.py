import asyncio
import json

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from qsops.engine import protocol
from qsops.engine import texts as own_texts
from qsops.engine.core.bounds import MESSAGE_HEADERS_BYTES, MESSAGE_HEADERS_LIMIT, check_headers
from qsops.engine.face.guard import HEAD_LIMIT, HEADERS_LIMIT, TARGET_LIMIT
from qsops.engine.server import serving
from qsops.errors import Rejected
from qsops.models import Callback, Publish
from tests.engine.caller import TOKENS

URL = "https://shop.test/hook"
START = f"GET /v2/keys HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKENS[0]}\r\n"
END = "Connection: close\r\n\r\n"


@pytest.fixture(params=["httptools", "h11"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the two parsers that an installation may have."""
    if request.param == "h11":
        monkeypatch.setattr("qsops.engine.server.http_protocol", lambda: protocol._H11)
    return request.param


async def raw(port: int, data: bytes, pieces: int = 1) -> tuple[int, dict]:
    """Send ``data`` in pieces, and read the whole answer: its status, and its JSON."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(20):
            size = len(data) // pieces + 1
            for start in range(0, len(data), size):
                writer.write(data[start : start + size])
                await writer.drain()
                await asyncio.sleep(0)
            answer = await reader.read()
    except ConnectionError:
        answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    ("request_text", "status", "error"),
    [
        (START + END, 200, None),
        (START + "X: y\r\n" * (HEADERS_LIMIT - 3) + END, 200, None),
        (START + "X: y\r\n" * HEADERS_LIMIT + END, 431, own_texts.too_many_headers(HEADERS_LIMIT + 3, HEADERS_LIMIT)),
        (START + f"X: {'y' * 60_000}\r\n" * 2 + END, 200, None),
        (START + f"X: {'y' * 60_000}\r\n" * 3 + END, 431, own_texts.head_too_large(HEAD_LIMIT)),
        (START.replace("/keys", "/keys?a=" + "b" * 60_000) + END, 200, None),
        (START.replace("/keys", "/keys?a=" + "b" * 66_000) + END, 414, own_texts.target_too_long(TARGET_LIMIT)),
        (START.replace("/v2/keys", "/v2/" + "k" * 66_000) + END, 414, own_texts.target_too_long(TARGET_LIMIT)),
        ("no HTTP at all\r\n\r\n", 400, own_texts.MALFORMED_REQUEST),
    ],
    ids=["plain", "headers", "headers over", "bytes", "bytes over", "query", "query over", "path over", "no HTTP"],
)
async def test_a_head_is_bounded(parser: str, request_text: str, status: int, error: str | None):
    """Path and query, the number of headers and their bytes; whatever is refused is answered as JSON."""
    async with serving() as server:
        assert (await raw(server.port, request_text.encode()))[0] == status
        answer = await raw(server.port, request_text.encode(), pieces=7)
        assert (answer[0], answer[1].get("error")) == (status, error)


@pytest.mark.parametrize("target", ["http://[", "*", "//", "/%", "/\xff", "http://a:b:c/", "/v2/publish/http://[::1"])
async def test_a_strange_target_is_no_fault_of_ours(parser: str, target: str):
    """Whatever stands in the request line, it is refused as the client's mistake."""
    async with serving() as server:
        status, answer = await raw(server.port, (START.replace("/v2/keys", target) + END).encode("latin-1"))
        assert status in (400, 404, 405)
        assert answer["error"]


@pytest.mark.parametrize("endless", ["GET /v2/keys", "GET /v2/keys HTTP/1.1\r\nX: "], ids=["line", "header"])
async def test_a_head_without_an_end_is_cut_off(parser: str, endless: str):
    """Neither a request line nor a header may grow for ever: it is answered once it is too long, and closed."""
    async with serving() as server:
        status, _ = await raw(server.port, endless.encode() + b"y" * (8 * HEAD_LIMIT), pieces=64)
        assert status == 431


async def test_a_body_does_not_count_as_a_head(parser: str):
    """A body many times the length of a head is read, on a connection that serves more than one request."""
    body = b"[" + b" " * (4 * HEAD_LIMIT) + b"]"
    head = START.replace("GET /v2/keys", "POST /v2/batch") + f"Content-Length: {len(body)}\r\n"
    once = head.encode() + b"\r\n" + body
    async with serving() as server:
        status, _ = await raw(server.port, head.encode() + END.encode() + body, pieces=20)
        assert status == 200
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        async with asyncio.timeout(20):
            for _ in range(3):
                writer.write(once)
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
                await reader.readexactly(len(b"[]"))
        writer.close()
        await writer.wait_closed()


async def test_without_httptools_h11_does(monkeypatch: pytest.MonkeyPatch):
    """A plain installation has no httptools; its engine answers all the same, under the same limits."""

    def missing() -> None:
        raise ImportError("httptools")

    monkeypatch.setattr(protocol, "_httptools", missing)
    assert issubclass(protocol.http_protocol(), H11Protocol)
    async with serving() as server:
        assert (await raw(server.port, (START + END).encode()))[0] == 200


@pytest.mark.parametrize("where", ["message", "callback", "failure callback"])
def test_what_a_message_forwards_is_bounded(where: str):
    """A batch's item could otherwise carry headers that no consumer's server takes; its callbacks', too."""

    def asked(*headers: tuple[str, str]) -> Publish:
        called = Callback(URL, headers=headers)
        return {
            "message": Publish(URL, headers=headers),
            "callback": Publish(URL, callback=called),
            "failure callback": Publish(URL, failure_callback=called),
        }[where]

    check_headers(asked(*[("X", "y")] * MESSAGE_HEADERS_LIMIT))
    check_headers(asked(("X", "y" * (MESSAGE_HEADERS_BYTES - 1))))
    with pytest.raises(Rejected, match=f"too many headers: {MESSAGE_HEADERS_LIMIT + 1}") as raised:
        check_headers(asked(*[("X", "y")] * (MESSAGE_HEADERS_LIMIT + 1)))
    assert raised.value.status == 431
    with pytest.raises(Rejected, match="headers too large"):
        check_headers(asked(("X", "y" * MESSAGE_HEADERS_BYTES)))
