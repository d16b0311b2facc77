"""One suite for the three ways out: each rule holds over sockets, into an application, and to a script."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from qsops.clock import SystemClock
from qsops.engine.core.attempts import Outcome
from qsops.engine.deliveries.app import AppDeliveries
from qsops.engine.deliveries.port import RESPONSE_LIMIT, Deliver, Delivery
from qsops.engine.deliveries.scripted import Answer, ScriptedReceiver
from qsops.engine.deliveries.socket import SocketDeliveries
from qsops.models import Headers

BOUND_S = 60


@dataclass
class Got:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Destination:
    """Something that answers ``answer``, reached by ``deliver`` at ``url``."""

    url: str = ""
    deliver: Deliver | None = None
    answer: Answer = field(default_factory=Answer)
    got: list[Got] = field(default_factory=list)

    async def send(
        self,
        path: str = "/",
        method: str = "POST",
        headers: Headers = (),
        body: bytes = b"",
        timeout_s: float = BOUND_S,
    ) -> Outcome:
        assert self.deliver is not None
        async with asyncio.timeout(timeout_s):
            return await self.deliver(Delivery(method, self.url + path, headers, body, timeout_s))


async def _whole(request: web.BaseRequest) -> bytes:
    return b"".join([chunk async for chunk in request.content.iter_any()])


@asynccontextmanager
async def over_sockets() -> AsyncIterator[Destination]:
    destination = Destination()

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        destination.got.append(Got(request.method, request.raw_path, headers, await _whole(request)))
        answer = destination.answer
        if answer.fault == "hang":
            await asyncio.Event().wait()
        if answer.fault == "drop":
            assert request.transport is not None
            request.transport.close()
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    server = web.Server(handle, handler_cancellation=True)
    runner = web.ServerRunner(server, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    destination.url = "http://{}:{}".format(*runner.addresses[0])
    async with SocketDeliveries(connections=4) as destination.deliver:
        yield destination
    await runner.cleanup()


@asynccontextmanager
async def into_an_app() -> AsyncIterator[Destination]:
    destination = Destination("http://app.test")

    async def app(scope, receive, send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("no lifespan here")
        body = (await receive())["body"]
        query = scope["query_string"].decode()
        target = scope["raw_path"].decode() + (f"?{query}" if query else "")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        destination.got.append(Got(scope["method"], target, headers, body))
        answer = destination.answer
        if answer.fault == "hang":
            await asyncio.Event().wait()
        pairs = [(name.encode(), value.encode()) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        if answer.fault == "drop":
            return
        await send({"type": "http.response.body", "body": answer.body})

    deliveries = AppDeliveries(app)
    destination.deliver = deliveries
    yield destination
    await deliveries.aclose()


@asynccontextmanager
async def to_a_script() -> AsyncIterator[Destination]:
    destination = Destination("http://script.test")

    async def deliver(delivery: Delivery) -> Outcome:
        receiver = ScriptedReceiver(SystemClock(), [destination.answer])
        try:
            return await receiver(delivery)
        finally:
            (got,) = receiver.received
            headers = {name.lower(): value for name, value in got.headers}
            destination.got.append(Got(got.method, got.url.removeprefix(destination.url), headers, got.body))

    destination.deliver = deliver
    yield destination


@pytest.fixture(params=[over_sockets, into_an_app, to_a_script], ids=["socket", "app", "script"])
async def destination(request: pytest.FixtureRequest) -> AsyncIterator[Destination]:
    make: Callable = request.param
    async with make() as destination:
        yield destination


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_method_headers_and_body_arrive(destination: Destination, method: str):
    """What was published arrives byte for byte, whatever the method."""
    body = "Grüße 🎉\x00".encode()
    await destination.send("/", method, (("X-Shop", "7"), ("Content-Type", "text/plain")), body)
    (got,) = destination.got
    assert (got.method, got.body) == (method, body)
    assert (got.headers["x-shop"], got.headers["content-type"]) == ("7", "text/plain")


async def test_ten_megabytes_arrive(destination: Destination):
    """The largest body of a message leaves whole."""
    body = bytes(range(256)) * 40 * 1024
    assert (await destination.send(body=body)).status == 200
    assert destination.got[0].body == body
    assert destination.got[0].headers.get("content-length", str(len(body))) == str(len(body))


@pytest.mark.parametrize("path", ["/%7Ea/../b", "/a//b", "/x%2Fy?q=%20+&r=a/b", "/;p=1,2?", "/%E2%82%AC"])
async def test_paths_arrive_as_given(destination: Destination, path: str):
    """No normalising on the way: the signature is over this very text."""
    await destination.send(path)
    assert destination.got[0].target.rstrip("?") == path.rstrip("?")


async def test_no_header_is_added(destination: Destination):
    """Beside what was given only what HTTP itself demands arrives."""
    await destination.send(headers=(("User-Agent", "Upstash-QStash"),), body=b"x")
    assert set(destination.got[0].headers) <= {"host", "content-length", "user-agent"}
    assert destination.got[0].headers["user-agent"] == "Upstash-QStash"


@pytest.mark.parametrize("status", [200, 204, 299, 301, 302, 404, 489, 500, 503])
async def test_an_answer_is_an_outcome(destination: Destination, status: int):
    """Status, headers and body come back; only 2xx is a success, and redirects are not followed."""
    destination.answer = Answer(
        status, (("Location", "http://127.0.0.1:1/"), ("Retry-After", "7")), b"" if status == 204 else b"why"
    )
    outcome = await destination.send()
    assert outcome.status == status
    assert outcome.delivered is (200 <= status < 300)
    assert ("Retry-After", "7") in outcome.headers
    assert outcome.body == (b"" if status == 204 else b"why")
    assert len(destination.got) == 1


async def test_a_dropped_connection_is_an_outcome(destination: Destination):
    """Status 0 and a reason, never an exception."""
    destination.answer = Answer(fault="drop")
    outcome = await destination.send()
    assert (outcome.status, outcome.delivered) == (0, False)
    assert outcome.error


async def test_it_gives_way_when_it_takes_too_long(destination: Destination):
    """The caller's timeout ends a delivery that hangs, and the next one works."""
    destination.answer = Answer(fault="hang")
    with pytest.raises(TimeoutError):
        await destination.send(timeout_s=0.1)
    destination.answer = Answer(200)
    assert (await destination.send()).status == 200


async def test_two_megabytes_of_answer_are_cut(destination: Destination):
    """A destination cannot fill our memory: of its answer one mebibyte is kept."""
    if destination.url == "http://script.test":
        assert RESPONSE_LIMIT == 1024 * 1024  # a script says what it likes; its author is us
        return
    destination.answer = Answer(500, (), b"x" * 2 * RESPONSE_LIMIT)
    outcome = await destination.send()
    assert outcome.body == b"x" * RESPONSE_LIMIT


async def test_a_refused_connection_is_an_outcome():
    """Nobody listens: status 0, and the reason is told."""
    async with SocketDeliveries(connections=1) as deliver:
        outcome = await deliver(Delivery("POST", "http://127.0.0.1:1/", (), b"", BOUND_S))
    assert outcome.status == 0
    assert "Connect" in (outcome.error or "")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/ä", "http://nowhere.invalid/", "http://:80/"])
async def test_a_strange_url_is_an_outcome(url: str):
    """What cannot be sent to fails the attempt, and nothing else."""
    async with SocketDeliveries(connections=1) as deliver:
        assert (await deliver(Delivery("POST", url, (), b"", BOUND_S))).status == 0


async def test_a_fault_of_an_application_is_a_500():
    """An application that raises is answered for as its server would: 500."""

    async def app(scope, receive, send) -> None:
        raise ZeroDivisionError

    deliveries = AppDeliveries(app)
    outcome = await deliveries(Delivery("POST", "http://app.test/", (), b"", BOUND_S))
    assert (outcome.status, outcome.body) == (500, b"Internal Server Error")
    await deliveries.aclose()
