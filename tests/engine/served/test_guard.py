import asyncio

import aiohttp
import pytest

from qsops.config.dev_users import DEV_USERS
from qsops.engine import texts as own_texts
from qsops.engine.plans import BATCH_LIMIT, BODY_LIMIT, PLANS
from qsops.wire import texts
from tests.engine.served.conftest import Serve

MESSAGE_LIMIT = PLANS["payg"].message_bytes
AUTHORIZATION = {"Authorization": f"Bearer {DEV_USERS[0].token}"}


@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        ({"Host": "127.0.0.1"}, 200, None),
        ({"Host": "localhost:8080"}, 200, None),
        ({"Host": "[::1]:8080"}, 200, None),
        ({"Host": "LOCALHOST"}, 200, None),
        ({"Host": "evil.example"}, 403, own_texts.FOREIGN_HOST),
        ({"Host": "127.0.0.1.evil.example"}, 403, own_texts.FOREIGN_HOST),
        ({"Host": "localhost.evil.example:8080"}, 403, own_texts.FOREIGN_HOST),
        ({"Host": "192.168.0.1"}, 403, own_texts.FOREIGN_HOST),
        ({"Host": "["}, 403, own_texts.FOREIGN_HOST),
        ({"Origin": "http://localhost:3000"}, 200, None),
        ({"Origin": "http://127.0.0.1:8888"}, 200, None),
        ({"Origin": "https://evil.example"}, 403, own_texts.FOREIGN_ORIGIN),
        ({"Origin": "http://localhost.evil.example"}, 403, own_texts.FOREIGN_ORIGIN),
        ({"Origin": "null"}, 403, own_texts.FOREIGN_ORIGIN),
    ],
)
async def test_no_page_of_another_site_gets_in(
    serve: Serve, http: aiohttp.ClientSession, headers: dict, status: int, error: str | None
):
    """A browser reaches loopback under any name that its attacker owns: only loopback's names and origins count."""
    async with serve() as running:
        url = f"{running.server.url}/v2/keys"
        async with http.get(url, headers={**AUTHORIZATION, **headers}) as answer:
            assert answer.status == status
            assert (await answer.json()).get("error") == error


@pytest.mark.parametrize(
    ("path", "limit", "text"),
    [
        ("/v2/publish/http://127.0.0.1:1/", MESSAGE_LIMIT, texts.quota_exceeded("maxMessageSize", MESSAGE_LIMIT)),
        ("/v2/batch", BATCH_LIMIT, texts.body_too_large(BATCH_LIMIT)),
        ("/v2/dlq/retry", BODY_LIMIT, texts.body_too_large(BODY_LIMIT)),
    ],
)
async def test_a_body_over_the_limit_is_refused_by_its_length(serve: Serve, path: str, limit: int, text: str):
    """413 before a byte of the body has come, and the connection is closed; of a message it is the plan's limit."""
    async with serve() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
        lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {limit + 1}"]
        lines += [f"{name}: {value}" for name, value in AUTHORIZATION.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        async with asyncio.timeout(10):
            answer = await reader.readuntil(b"}")
        assert answer.startswith(b"HTTP/1.1 413")
        assert text.encode() in answer
        writer.close()
        await writer.wait_closed()


async def test_a_body_without_a_length_is_counted(serve: Serve, http: aiohttp.ClientSession):
    """A chunked body is refused once it has grown over the limit; a client that is still sending gets the answer."""
    sent = 0

    async def endless():
        nonlocal sent
        while sent < 4 * MESSAGE_LIMIT:
            sent += 1024 * 1024
            yield b"x" * 1024 * 1024

    async with serve() as running:
        url = f"{running.server.url}/v2/publish/http://127.0.0.1:1/"
        async with http.post(url, data=endless(), headers=AUTHORIZATION) as answer:
            assert answer.status == 413
            assert (await answer.json())["error"] == texts.quota_exceeded("maxMessageSize", MESSAGE_LIMIT)


async def test_exactly_the_limit_is_accepted(serve: Serve):
    """Ten mebibytes are a message, one byte more is none; in a batch the item alone is refused."""
    async with serve() as running:
        ask = running.caller.ask
        url, most = "http://127.0.0.1:1/", b"x" * MESSAGE_LIMIT
        assert (await ask("POST", f"/v2/publish/{url}", most, {"Upstash-Delay": "1h"})).status == 200
        assert (await ask("POST", f"/v2/publish/{url}", most + b"x")).status == 413
        delayed = {"destination": url, "headers": {"Upstash-Delay": "1h"}}
        items = [{**delayed, "body": "x" * size} for size in (MESSAGE_LIMIT + 1, 1)]
        first, second = (await ask("POST", "/v2/batch", items)).json
        assert first["error"] == texts.quota_exceeded("maxMessageSize", MESSAGE_LIMIT)
        assert second["messageId"]


async def test_a_stranger_s_body_is_not_read(serve: Serve):
    """401 comes before the body, too."""
    async with serve() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
        writer.write(b"POST /v2/batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"HTTP/1.1 401")
        writer.close()
        await writer.wait_closed()


async def test_a_body_that_breaks_off_publishes_nothing(serve: Serve):
    """A client that goes away in the middle of its message has not published the first half of it."""
    async with serve() as running:
        _, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
        head = "POST /v2/publish/http://127.0.0.1:1/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
        writer.write(f"{head}Authorization: {AUTHORIZATION['Authorization']}\r\n\r\nhalf".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        # The requests of another connection come after it in the server's loop.
        for _ in range(3):
            assert await running.caller.logs() == []
