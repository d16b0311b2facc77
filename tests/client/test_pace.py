"""The pace of many requests at once, under a limit that counts those of each second."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from qsops.client.pace import Pace
from qsops.clock import ManualClock
from qsops.engine.virtual import VirtualLoop
from qsops.errors import OutcomeUnknown, Unreachable
from qsops.wire.failures import BurstLimit


class Service:
    """Takes ``limit`` requests in each second of its own clock, which is ahead of ours, and tells what is left.

    A request takes ``latency_ms``, now and then twice as long; it is counted on the way, wherever ``counted`` says.
    """

    def __init__(self, clock: ManualClock, limit: int, latency_ms: int, counted: float = 0.5, ahead_ms: int = 0):
        self.clock, self.limit, self.latency_ms, self.counted, self.ahead_ms = (
            clock,
            limit,
            latency_ms,
            counted,
            ahead_ms,
        )
        self.asked = 0
        self.counts: dict[int, int] = {}

    async def ask(self, pace: Pace, fate: str = "answered") -> None:
        self.asked += 1
        latency_s = self.latency_ms / 1000 * (1 + (self.asked % 7 == 0))
        async with pace.turn() as turn:
            await asyncio.sleep(latency_s * self.counted)
            told = self.count()
            await asyncio.sleep(latency_s * (1 - self.counted))
            if fate == "lost":
                raise OutcomeUnknown("lost")
            turn.told(told if fate == "answered" else None)

    def count(self) -> BurstLimit:
        second = self.second()
        self.counts[second] = self.counts.get(second, 0) + 1
        return BurstLimit(self.limit, max(0, self.limit - self.counts[second]), second + 1.0)

    def second(self) -> int:
        return (self.clock.now_ms() + self.ahead_ms) // 1000


def let_run(clock: ManualClock, work: Callable[[], Coroutine[Any, Any, None]], for_s: int) -> None:
    """Start ``work`` and let time pass, millisecond by millisecond where something happens."""
    loop = VirtualLoop(clock)
    ends_at_ms = clock.now_ms() + for_s * 1000

    async def main() -> None:
        task = asyncio.ensure_future(work())
        await loop.quiet()
        while clock.now_ms() < ends_at_ms:
            at_ms = loop.next_timer_ms()
            assert at_ms is not None, task
            clock.move_to(max(at_ms, clock.now_ms() + 1))
            await loop.quiet()
        task.cancel()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())


def keep_asking(service: Service, pace: Pace, at_once: int = 16) -> Callable[[], Coroutine[Any, Any, None]]:
    """The first alone, then so many at once, without end."""

    async def worker() -> None:
        while True:
            await service.ask(pace)

    async def work() -> None:
        await service.ask(pace)
        await asyncio.gather(*(worker() for _ in range(at_once)))

    return work


@pytest.mark.parametrize("ahead_ms", [0, 1, 250, 730, 999, 3_600_500, -86_399_600])
@pytest.mark.parametrize(("latency_ms", "counted"), [(4, 0.5), (50, 0.0), (50, 0.5), (50, 1.0), (120, 0.3)])
@pytest.mark.parametrize("limit", [3, 10, 100])
def test_no_second_has_more_than_the_limit_and_all_of_it_is_used(
    limit: int, latency_ms: int, counted: float, ahead_ms: int
):
    """Wherever on its way a request is counted, and by whatever clock; 19 of 20 that may be sent in ten seconds are."""
    clock = ManualClock()
    service = Service(clock, limit, latency_ms, counted, ahead_ms)
    let_run(clock, keep_asking(service, Pace(clock, asyncio.sleep)), for_s=12)
    assert max(service.counts.values()) <= limit
    ten = sorted(service.counts)[1:11]
    assert sum(service.counts[second] for second in ten) >= 0.95 * 10 * limit


@pytest.mark.parametrize("fate", ["lost", "silent"])
@pytest.mark.parametrize("limit", [10, 100])
def test_whose_answer_does_not_tell_may_have_been_counted(limit: int, fate: str):
    """An answer that is lost, or has no such headers, leaves a second with as much less as it may have taken."""
    clock = ManualClock()
    service, pace = Service(clock, limit, 50, ahead_ms=400), Pace(clock, asyncio.sleep)

    async def worker() -> None:
        while True:
            try:
                await service.ask(pace, fate if service.asked % 5 == 0 else "answered")
            except OutcomeUnknown:
                pass  # asked again

    async def work() -> None:
        await asyncio.gather(*(worker() for _ in range(8)))

    let_run(clock, work, for_s=12)
    assert max(service.counts.values()) <= limit
    ten = sorted(service.counts)[1:11]
    assert sum(service.counts[second] for second in ten) >= 0.7 * 10 * limit


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_limit_that_allows_nothing_is_none(limit: int):
    """Whoever waited for it would wait for ever."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    clock = ManualClock()
    pace = Pace(clock, sleep)
    for _ in range(3):
        async with pace.turn() as turn:
            turn.told(BurstLimit(limit, 0, clock.now_ms() / 1000 + 1))
    assert slept == []


async def test_what_was_never_sent_takes_nothing():
    """No connection: the service has counted nothing, and the next one may go."""
    slept: list[float] = []
    clock = ManualClock()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    pace = Pace(clock, sleep)
    pace.told(BurstLimit(2, 1, clock.now_ms() / 1000 + 1))
    for _ in range(3):
        with pytest.raises(Unreachable):
            async with pace.turn():
                raise Unreachable("no connection")
    assert slept == []


@pytest.mark.parametrize("by_ms", [-5_000, -700, -50, 300, 5_000])
def test_a_clock_that_is_set_anew_costs_no_more_than_what_is_under_way(by_ms: int):
    """The first answer that cannot be after what was told before ends the mistake; then all of the limit is used."""
    clock = ManualClock()
    service = Service(clock, 100, 50, ahead_ms=300)
    asking = keep_asking(service, Pace(clock, asyncio.sleep))

    async def work() -> None:
        asked = asyncio.gather(asking())
        await asyncio.sleep(5.2)
        service.counts = {}
        service.ahead_ms += by_ms
        await asked

    let_run(clock, work, for_s=18)
    later = sorted(service.counts)[1:]
    assert max(service.counts.values()) <= 100 + 16
    ten = later[1:11]
    assert max(service.counts[second] for second in ten) <= 100
    assert sum(service.counts[second] for second in ten) >= 0.95 * 10 * 100


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
    async with pace.turn() as turn:
        turn.told(BurstLimit(10, 2, ends_at_s))
    for _ in range(2):
        async with pace.turn():
            assert slept == []
    async with pace.turn():
        assert slept == [1.0]
