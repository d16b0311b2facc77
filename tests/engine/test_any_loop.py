from qsops.clock import EPOCH_MS, ManualClock
from qsops.engine.embedded import Embedded
from tests.engine.caller import Caller

URL = "https://shop.test/hook"


async def test_the_engine_runs_on_any_loop():
    """On a plain asyncio loop the clock is as manual as ever: six hours of retries pass at once."""
    engine = Embedded(clock=ManualClock())
    caller = Caller(engine.send)
    receiver = engine.receiver(URL, "500,500,500,500,200")
    message_id = await caller.publish(URL, retries=5)
    assert await engine.settle() is True
    assert [(got.at_ms - EPOCH_MS) // 1000 for got in receiver.received] == [0, 12, 160, 1968, 23994]
    assert (await caller.states(message_id))[-1] == "DELIVERED"
    assert (await engine.call("GET", URL)).status == 200
    await engine.aclose()
    await engine.aclose()
