import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from qsops.engine.server import Server, serving
from qsops.wire.http import Request, Response
from tests.engine.caller import Caller

BOUND_S = 60


@dataclass
class Hook:
    """A destination on a socket of its own. ``answer`` may be replaced; ``arrived`` is told of every request."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    answer: Callable[[web.Request], Awaitable[web.Response]] | None = None

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.BaseRequest)
        self.bodies.append(await request.read())
        self.ids.append(request.headers["Upstash-Message-Id"])
        async with self.arrived:
            self.arrived.notify_all()
        return await self.answer(request) if self.answer else web.Response()

    async def has(self, count: int) -> None:
        """Wait until ``count`` requests have come."""
        async with asyncio.timeout(BOUND_S), self.arrived:
            await self.arrived.wait_for(lambda: len(self.bodies) >= count)


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook = Hook()
    runner = web.ServerRunner(web.Server(hook, handler_cancellation=True), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = "http://{}:{}".format(*runner.addresses[0])
    yield hook
    await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(BOUND_S)) as session:
        yield session


@dataclass
class Running:
    server: Server
    caller: Caller

    async def reaches(self, message_id: str, state: str) -> None:
        """Ask until the message has come to ``state``."""
        async with asyncio.timeout(BOUND_S):
            while state not in await self.caller.states(message_id):
                continue


Serve = Callable[..., "asynccontextmanager[Running]"]


@pytest.fixture
def serve(http: aiohttp.ClientSession) -> Serve:
    """Serve an engine, and speak to it."""

    @asynccontextmanager
    async def run(db: str | Path = ":memory:", **settings) -> AsyncIterator[Running]:
        async with serving(db=db, **settings) as server:

            async def send(request: Request) -> Response:
                url = aiohttp.client.URL(f"{server.url}{request.target}", encoded=True)
                async with http.request(
                    request.method, url, headers=request.headers, data=BytesIO(request.body)
                ) as answer:
                    return Response(answer.status, (), await answer.read())

            yield Running(server, Caller(send))

    return run
