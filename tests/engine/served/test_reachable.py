import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from qsops.clock import ManualClock
from qsops.engine.access import Access
from qsops.engine.embedded import Embedded
from qsops.engine.server import serving
from qsops.errors import SettingsError
from qsops.wire.http import Request, Response, header
from tests.engine.caller import Caller
from tests.engine.served.conftest import BOUND_S, Hook, Running, Serve

TOKEN = "a-token-of-our-own"
HOSTS = ("localhost", "127.0.0.1")


def exposed(*allow_private: str) -> dict:
    """The settings of an engine that others reach."""
    return {"host": "0.0.0.0", "access": Access(TOKEN, allowed_hosts=HOSTS, allow_private=allow_private)}


@pytest.fixture
def serve_own(http: aiohttp.ClientSession) -> Serve:
    """Serve an engine that others reach, and speak to it with its own token."""

    @asynccontextmanager
    async def run(**settings) -> AsyncIterator[Running]:
        async with serving(**settings) as server:

            async def send(request: Request) -> Response:
                url = aiohttp.client.URL(f"http://127.0.0.1:{server.port}{request.target}", encoded=True)
                async with http.request(request.method, url, headers=request.headers, data=request.body) as answer:
                    return Response(answer.status, (), await answer.read())

            yield Running(server, Caller(send, TOKEN))

    return run


async def publish(running: Running, url: str, **headers: str) -> str:
    """The id of a message to ``url`` that is tried at once, and once more."""
    options = {"Upstash-Retries": "1", "Upstash-Retry-Delay": "1", **headers}
    answer = await running.caller.ask("POST", f"/v2/publish/{url}", b"", options)
    assert answer.status == 200, answer
    return answer.json["messageId"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"])
async def test_an_engine_that_others_reach_calls_nothing_private(serve_own: Serve, hook: Hook, host: str):
    """Accepted, since nothing is resolved at publish; each attempt is refused and says why, and it ends a failure."""
    port = hook.url.rpartition(":")[2]
    async with serve_own(**exposed()) as running:
        message_id = await publish(running, f"http://{host}:{port}/inside")
        await running.reaches(message_id, "FAILED")
        states = await running.caller.states(message_id)
        assert states.count("ERROR") == 2
        errors = {entry["error"] for entry in await running.caller.logs(messageId=message_id, state="ERROR")}
        assert all(error.startswith("destination refused: ") for error in errors)
        assert all("--allow-private" in error for error in errors)
        assert [letter["messageId"] for letter in await running.caller.dead_letters()] == [message_id]
    assert hook.bodies == []


async def test_a_callback_goes_to_nothing_private_either(serve_own: Serve, hook: Hook):
    """What is told of an attempt is a delivery like any other."""
    async with serve_own(**exposed()) as running:
        told = {"Upstash-Failure-Callback": f"{hook.url}/told", "Upstash-Failure-Callback-Retries": "0"}
        message_id = await publish(running, f"{hook.url}/inside", **told)
        await running.reaches(message_id, "FAILED")
        async with asyncio.timeout(BOUND_S):
            while not (letters := await running.caller.dead_letters(url=f"{hook.url}/told")):
                pass
        assert letters[0]["responseStatus"] == 0
    assert hook.bodies == []


async def test_a_private_network_is_called_once_it_is_allowed(serve_own: Serve, hook: Hook):
    """Naming the network on purpose lets deliveries in."""
    async with serve_own(**exposed("127.0.0.0/8")) as running:
        message_id = await publish(running, f"{hook.url}/inside")
        await running.reaches(message_id, "DELIVERED")
    assert hook.ids == [message_id]


async def test_a_region_is_told_to_consumers():
    """Consumers choose their keys by it; without one, and with one that does not exist, nothing is told."""
    for region, told in ((None, None), ("EU_CENTRAL_1", "EU-CENTRAL-1"), ("us-east-1", "US-EAST-1")):
        engine = Embedded(clock=ManualClock(), region=region)
        receiver = engine.receiver("https://shop.test")
        await Caller(engine.send).publish("https://shop.test/hook")
        await engine.settle()
        assert header(receiver.received[0].headers, "Upstash-Region") == told
        await engine.aclose()
    with pytest.raises(SettingsError, match=r"region: there is no 'MARS_1'; name one of EU_CENTRAL_1, US_EAST_1"):
        Embedded(clock=ManualClock(), region="MARS_1")
