"""Tests on virtual time: a loop on a manual clock, and somebody who moves it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from qsops.clock import ManualClock
from qsops.engine.virtual import VirtualLoop


def run(main: Callable[[ManualClock], Coroutine[Any, Any, Any]]) -> Any:
    """Run ``main`` to its end; what waits for the clock waits for :func:`advance`, or an engine's."""
    clock = ManualClock()
    loop = VirtualLoop(clock)
    try:
        return loop.run_until_complete(main(clock))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def advance(clock: ManualClock, by_ms: int) -> None:
    """Move the clock, and let each timer on the way do its work at its own time."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    until_ms = clock.now_ms() + by_ms
    await loop.quiet()
    while (at_ms := loop.next_timer_ms()) is not None and at_ms <= until_ms:
        clock.move_to(max(at_ms, clock.now_ms() + 1))
        await loop.quiet()
    clock.move_to(max(until_ms, clock.now_ms()))
