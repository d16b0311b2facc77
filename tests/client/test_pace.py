"""The pace of many requests at once, under a limit that counts those of each second."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from qsops.client.pace import Pace
from qsops.clock import ManualClock
from qsops.engine.virtual import VirtualLoop
from qsops.wire.failures import BurstLimit

REQUESTS = 200


class Service:
    """Takes ``limit`` requests in each second of the clock, each within ``latency_s``, and tells what is left."""

    def __init__(self, clock: ManualClock, limit: int, latency_s: float) -> None:
        self.clock, self.limit, self.latency_s = clock, limit, latency_s
        self.began_ms = clock.now_ms()
        self.counts: dict[int, int] = {}

    async def ask(self, pace: Pace) -> None:
        async with pace.turn():
            await asyncio.sleep(self.latency_s / 2)
            second = self.clock.now_ms() // 1000
            self.counts[second] = self.counts.get(second, 0) + 1
            left = BurstLimit(self.limit, max(0, self.limit - self.counts[second]), second + 1.0)
            await asyncio.sleep(self.latency_s / 2)
            pace.told(left)


@pytest.mark.parametrize("at_once", [1, 16])
@pytest.mark.parametrize("limit", [7, 50])
def test_many_at_once_keep_under_the_limit_and_use_it(limit: int, at_once: int):
    """No second takes more than the limit, whatever is under way; and nine tenths of it are used where they can be."""
    clock = ManualClock()
    loop = VirtualLoop(clock)
    service = Service(clock, limit, latency_s=0.05)
    pace = Pace(clock, asyncio.sleep)

    async def worker() -> None:
        for _ in range(REQUESTS // at_once):
            await service.ask(pace)

    async def after_s(seconds: float, work: Coroutine[Any, Any, None]) -> None:
        await asyncio.sleep(seconds)
        await work

    async def main() -> None:
        # The first tells of the limit.
        workers = asyncio.gather(service.ask(pace), *(after_s(0.1, worker()) for _ in range(at_once)))
        await loop.quiet()
        while not workers.done():
            at_ms = loop.next_timer_ms()
            assert at_ms is not None
            clock.move_to(max(at_ms, clock.now_ms() + 1))
            await loop.quiet()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())
    assert max(service.counts.values()) <= limit
    full = sorted(service.counts)[1:-2]
    reachable = min(limit, at_once / service.latency_s)
    assert all(service.counts[second] >= 0.9 * reachable for second in full)


async def test_a_limit_that_tells_no_reset_stops_nobody():
    """A service that says nothing of the next second is asked again, one at a time."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    pace = Pace(ManualClock(), sleep)
    pace.told(BurstLimit(10, 0))
    async with pace.turn():
        assert slept == []
        async with pace.turn():
            assert slept == [1.0]


async def test_what_others_take_is_left_to_them():
    """Several share a token: what an answer misses and was not sent here is not there any more."""
    slept: list[float] = []
    clock = ManualClock()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.advance(round(seconds * 1000))

    pace = Pace(clock, sleep)
    ends_at_s = clock.now_ms() / 1000 + 1
    async with pace.turn():
        pace.told(BurstLimit(10, 2, ends_at_s))
    for _ in range(2):
        async with pace.turn():
            assert slept == []
    async with pace.turn():
        assert slept == [1.0]
