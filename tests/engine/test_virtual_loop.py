import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
from fastapi import FastAPI

from qsops.clock import EPOCH_MS, ManualClock
from qsops.engine.virtual import VirtualLoop


def run(clock: ManualClock, main: Callable[[VirtualLoop], Coroutine[Any, Any, Any]]) -> Any:
    loop = VirtualLoop(clock)
    try:
        return loop.run_until_complete(main(loop))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def test_a_sleep_ends_when_the_clock_is_moved():
    """Timers follow the manual clock to the millisecond: not before it is moved, and at once then."""
    clock = ManualClock()

    async def main(loop: VirtualLoop) -> list[int]:
        woken: list[int] = []

        async def sleeper(seconds: float) -> None:
            await asyncio.sleep(seconds)
            woken.append(clock.now_ms() - EPOCH_MS)

        tasks = [asyncio.ensure_future(sleeper(seconds)) for seconds in (0.1, 30, 86_399.999, 0.001)]
        while True:
            await loop.quiet()
            at = loop.next_timer_ms()
            if at is None:
                break
            clock.move_to(at)
        await asyncio.gather(*tasks)
        return woken

    assert run(clock, main) == [1, 100, 30_000, 86_399_999]


def test_a_timer_is_due_at_its_millisecond_however_its_seconds_round():
    """88.516 s and 0.7 s are 89.21600000000001 s as floats: at 89.216 s the sleeper is awake, not a moment later."""
    clock = ManualClock()

    async def main(loop: VirtualLoop) -> bool:
        clock.advance(88_516)
        task = asyncio.ensure_future(asyncio.sleep(0.7))
        await loop.quiet()
        clock.move_to(EPOCH_MS + 89_216)
        await loop.quiet()
        return task.done()

    assert run(clock, main) is True


def test_a_timeout_follows_the_manual_clock():
    """A handler of 30 s against a timeout of 10 s times out at 10 s of the manual clock."""
    clock = ManualClock()

    async def main(loop: VirtualLoop) -> int:
        task = asyncio.ensure_future(asyncio.wait_for(asyncio.sleep(30), 10))
        await loop.quiet()
        clock.move_to(loop.next_timer_ms() or 0)
        await asyncio.gather(task, return_exceptions=True)
        assert isinstance(task.exception(), TimeoutError)
        return clock.now_ms() - EPOCH_MS

    assert run(clock, main) == 10_000


def test_quiet_waits_for_jobs_in_an_executor():
    """The clock cannot run ahead of a thread that still works for a task."""
    clock = ManualClock()

    async def main(loop: VirtualLoop) -> int:
        task = asyncio.ensure_future(asyncio.to_thread(lambda: sum(range(2_000_000))))
        await loop.quiet()
        assert task.done()
        return task.result()

    assert run(clock, main) == 1_999_999_000_000


def test_quiet_waits_for_chains_of_ready_tasks():
    """A task that hands over to another, again and again, is not quiet until the last one waits."""

    async def main(loop: VirtualLoop) -> int:
        turns = 0

        async def chain() -> None:
            nonlocal turns
            for _ in range(100):
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.ensure_future(chain())
        await loop.quiet()
        assert task.done()
        return turns

    assert run(ManualClock(), main) == 100


def test_quiet_waits_for_the_threads_of_plain_routes():
    """A plain `def` route runs on a thread of anyio's: the clock cannot run ahead of that either."""
    clock = ManualClock()
    app = FastAPI()

    @app.get("/slow")
    def slow() -> int:
        threading.Event().wait(0.2)  # real time, which the manual clock knows nothing of
        return 1

    async def main(loop: VirtualLoop) -> int:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            task = asyncio.ensure_future(client.get("/slow"))
            await loop.quiet()
            assert task.done()
            return task.result().status_code

    assert run(clock, main) == 200
