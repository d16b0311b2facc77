import asyncio
import json

from qsops.clock import EPOCH_MS, ManualClock
from qsops.engine.embedded import Embedded
from qsops.engine.virtual import VirtualLoop
from tests.engine.caller import Caller


async def incident(seed: int) -> str:
    """Sixty messages over three faulty destinations, with callbacks, cancels and a DLQ retry; the log as it reads."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    engine = Embedded(clock=loop.clock, seed=seed)
    caller = Caller(engine.send)
    engine.receiver("https://a.test", "500,429 retry-after=3,200 after=700ms")
    engine.receiver("https://b.test", "200 after=2s,500 after=1s,drop,200")
    engine.receiver("https://back.test", "200")
    for number in range(60):
        host = "abx"[number % 3]
        await caller.publish(f"https://{host}.test/{number}", b"%d" % number, retries=2, callback="https://back.test/")
        if number % 7 == 0:
            await engine.advance(333)
    await caller.ask("DELETE", "/v2/messages", label="none", path="/59")
    await engine.advance(60_000)
    await caller.ask("POST", "/v2/dlq/retry", count=5)
    await engine.settle()
    log = json.dumps(await caller.logs()) + json.dumps(await caller.dead_letters())
    await engine.aclose()
    return log


def run(seed: int) -> str:
    loop = VirtualLoop(ManualClock())
    try:
        return loop.run_until_complete(incident(seed))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def test_the_same_seed_gives_the_same_log():
    """A run is a function of its seed: every id, time, order and text of the log repeats."""
    assert run(7) == run(7)


def test_another_seed_gives_other_ids():
    """The ids of two seeds do not collide, while the story stays the same."""
    first, second = run(1), run(2)
    assert first != second
    assert len(first) == len(second)


async def test_settle_stops_at_its_timeout(engine: Embedded, caller: Caller):
    """It says whether everything is done, and moves the clock no further than asked."""
    engine.receiver("https://a.test")
    await caller.publish("https://a.test", delay="10s")
    assert await engine.settle(timeout_ms=9_999) is False
    assert engine.clock.now_ms() <= EPOCH_MS + 9_999
    assert engine.next_due_ms() == EPOCH_MS + 10_000
    assert await engine.settle(timeout_ms=10_000) is True
    assert engine.next_due_ms() is None


async def test_settle_does_not_move_the_clock_without_need(engine: Embedded):
    """Nothing pending: nothing happens, whatever timers others hold."""
    sleeper = asyncio.create_task(asyncio.sleep(3_600))
    assert await engine.settle() is True
    assert engine.clock.now_ms() == EPOCH_MS
    sleeper.cancel()


async def test_advance_fires_the_timers_on_its_way(engine: Embedded):
    """The clock stops at each timer of the loop, so that a task which wakes up reads its own time."""
    woken: list[int] = []

    async def ticking() -> None:
        for _ in range(3):
            await asyncio.sleep(1)
            woken.append(engine.clock.now_ms() - EPOCH_MS)

    task = asyncio.create_task(ticking())
    await engine.advance(2_500)
    assert woken == [1_000, 2_000]
    assert engine.clock.now_ms() == EPOCH_MS + 2_500
    task.cancel()


async def test_what_exceeds_the_limit_waits_its_turn(engine: Embedded, caller: Caller):
    """No more attempts of an account are in flight than its plan allows; the others start as those end."""
    receiver = engine.receiver("https://slow.test", "200 after=10s")
    for number in range(250):
        await caller.publish("https://slow.test", b"%d" % number)
    await engine.settle()
    assert sorted(int(got.body) for got in receiver.received) == list(range(250))
    assert engine.clock.now_ms() == EPOCH_MS + 30_000
