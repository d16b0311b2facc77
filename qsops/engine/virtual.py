"""An asyncio loop whose time is a manual clock's: timers fire when the clock is moved, never because time passes.

``asyncio.sleep`` and timeouts inside a consumer therefore follow the same clock as the engine that delivers to it.
What the loop cannot foresee is work outside of it: jobs handed to an executor or to anyio's threads (a FastAPI app's
plain ``def`` routes) are counted and waited for; sockets to another process are not, so nothing that matters may hang
on one.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any, Protocol, TypeVar, TypeVarTuple

from qsops.clock import ManualClock

__all__ = ["VirtualLoop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# What float seconds may be off when they are turned back into whole milliseconds, years after the loop was made.
_ROUNDING_MS = 1e-4
_ROUNDING_S = _ROUNDING_MS / 1000


class VirtualLoop(asyncio.SelectorEventLoop):
    """A selector loop on ``clock``. Whoever moves the clock first waits for :meth:`quiet`."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        # Counting from the loop's start keeps the floats small, so that a millisecond stays exact.
        self._start_ms = clock.now_ms()
        self._jobs_outside = 0
        self._anyio_threads: _Borrowed | None = None
        self._next_timer_s: float | None = None
        self._quiet: list[asyncio.Future[None]] = []
        super().__init__(_QuietSelector(self._on_idle))
        # Timers that are due but for this much fire; the machine's own clock has no say here.
        self._clock_resolution = _ROUNDING_S

    @property
    def clock(self) -> ManualClock:
        """The clock that this loop follows."""
        return self._clock

    def time(self) -> float:
        """Seconds of the manual clock since the loop was made."""
        return (self._clock.now_ms() - self._start_ms) / 1000

    async def quiet(self) -> None:
        """Wait until every task of the loop waits for the clock, or for somebody outside, and no executor job runs."""
        if "anyio" in sys.modules:
            # The limiter belongs to the loop and can be asked for from within a task alone.
            from anyio.to_thread import current_default_thread_limiter

            self._anyio_threads = current_default_thread_limiter()
        waiter = self.create_future()
        self._quiet.append(waiter)
        await waiter

    def next_timer_ms(self) -> int | None:
        """When the earliest timer falls due, in the clock's unix milliseconds, as of the last :meth:`quiet`."""
        if self._next_timer_s is None:
            return None
        return self._start_ms + math.ceil(self._next_timer_s * 1000 - _ROUNDING_MS)

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """As in the base class; the job counts as running until its result has come back to the loop."""
        job: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        self._jobs_outside += 1
        job.add_done_callback(self._on_job_done)
        return job

    def _on_job_done(self, _job: asyncio.Future[Any]) -> None:
        self._jobs_outside -= 1

    def _on_idle(self, timeout_s: float | None) -> bool:
        """Nothing is ready: wake those who wait for that, and say whether anyone was woken."""
        self._next_timer_s = None if timeout_s is None else self.time() + timeout_s
        if self._works_outside() or not self._quiet:
            return False
        waiters, self._quiet = self._quiet, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        return True

    def _works_outside(self) -> bool:
        return bool(self._jobs_outside or (self._anyio_threads and self._anyio_threads.borrowed_tokens))


class _Borrowed(Protocol):
    """What of anyio's limiter is looked at: how many of its threads are at work."""

    @property
    def borrowed_tokens(self) -> int: ...


class _QuietSelector(selectors.BaseSelector):
    """The platform's selector, which tells the loop when it has nothing to do and never waits for a timer."""

    def __init__(self, on_idle: Callable[[float | None], bool]) -> None:
        self._inner = selectors.DefaultSelector()
        self._on_idle = on_idle

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._inner.select(0)
        is_due = timeout is not None and timeout < _ROUNDING_S
        if ready or is_due or self._on_idle(timeout):
            return ready
        return self._inner.select(None)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()
