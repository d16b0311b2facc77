import asyncio

from qsops.clock import EPOCH_MS
from qsops.engine.embedded import Embedded
from tests.engine.caller import Caller

URL = "https://app.test"


class App:
    """An ASGI application that takes its time: to start, to answer and to stop."""

    def __init__(self, start_s: float = 0, answer_s: float = 0, stop_s: float = 0) -> None:
        self.said: list[str] = []
        self._start_s, self._answer_s, self._stop_s = start_s, answer_s, stop_s

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await asyncio.sleep(self._answer_s)
            self.said.append(f"{scope['method']} {scope['path']} {scope['state']['ready']}")
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x-name", "Zoë".encode())]})
            await send({"type": "http.response.body", "body": (await receive())["body"]})

    async def _live(self, scope, receive, send) -> None:
        await receive()
        await asyncio.sleep(self._start_s)
        scope["state"]["ready"] = "ready"
        self.said.append("up")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.sleep(self._stop_s)
        self.said.append("down")
        await send({"type": "lifespan.shutdown.complete"})


async def test_an_application_lives_with_the_engine(engine: Embedded, caller: Caller):
    """Its lifespan starts before its first delivery, its state reaches its requests, and it ends with the engine."""
    app = App(start_s=2, stop_s=3)
    engine.mount(URL, app)
    await caller.publish(f"{URL}/a")
    await engine.settle()
    await engine.aclose()
    assert app.said == ["up", "POST /a ready", "down"]
    assert engine.clock.now_ms() == EPOCH_MS + 5_000


async def test_an_impatient_delivery_does_not_stop_the_start(engine: Embedded, caller: Caller):
    """A delivery may time out while the application starts; the retry finds it up, and it was started once."""
    app = App(start_s=2)
    engine.mount(URL, app)
    await caller.publish(f"{URL}/a", timeout="1s")
    await engine.settle()
    assert app.said == ["up", "POST /a ready"]


async def test_an_application_that_cannot_start_fails_its_deliveries(engine: Embedded, caller: Caller):
    """The log says what it said."""

    async def app(scope, receive, send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    engine.mount(URL, app)
    message_id = await caller.publish(URL, retries=0)
    await engine.settle()
    (error,) = await caller.logs(messageId=message_id, state="ERROR")
    assert "no database" in error["error"]


async def test_anybody_may_call_a_mounted_application(engine: Embedded):
    """A plain request, unsigned; the clock moves as far as the answer needs, and a timeout is kept."""
    app = App(answer_s=4)
    engine.mount(URL, app)
    outcome = await engine.call("PUT", f"{URL}/b?x=1", (("X-A", "1"),), b"hello")
    assert (outcome.status, outcome.body, outcome.headers) == (200, b"hello", (("x-name", "Zoë"),))
    assert engine.clock.now_ms() == EPOCH_MS + 4_000
    assert (await engine.call("PUT", f"{URL}/b", timeout_s=3)).error == "timeout: no answer within 3 s"
    assert engine.clock.now_ms() == EPOCH_MS + 7_000


async def test_the_longest_prefix_gets_the_delivery(engine: Embedded, caller: Caller):
    """Mounts may nest; a prefix ends at a step of the path, and another host is another destination."""
    whole, part = engine.receiver("https://a.test"), engine.receiver("https://a.test/part")
    for url in ("https://a.test/part", "https://a.test/part/x", "https://a.test/part?y", "https://a.test/partner"):
        await caller.publish(url)
    await caller.publish("https://a.test.evil.example/", retries=0)
    await engine.settle()
    assert len(part.received) == 3
    assert [got.url for got in whole.received] == ["https://a.test/partner"]
    assert [letter["url"] for letter in await caller.dead_letters()] == ["https://a.test.evil.example/"]


async def test_text_beyond_ascii_arrives_in_headers(engine: Embedded, caller: Caller):
    """An emoji in a forwarded header of a batch arrives as UTF-8."""
    seen: list[bytes] = []

    async def app(scope, receive, send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("no lifespan")
        seen.extend(value for name, value in scope["headers"] if name == b"x-mood")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    engine.mount(URL, app)
    await caller.ask("POST", "/v2/batch", [{"destination": URL, "headers": {"Upstash-Forward-X-Mood": "über 🎉"}}])
    await engine.settle()
    assert seen == ["über 🎉".encode()]
