"""Pace: how whoever sends many requests at once stays under the burst limit that the service advertises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from qsops.clock import Clock
from qsops.wire.failures import BurstLimit

__all__ = ["Pace"]

#: The limit counts requests of one second.
_WINDOW_S: Final = 1.0


class Pace:
    """Counts what each second takes, ours and what answers tell of others; a 429 that never comes is free.

    ``sleep`` takes seconds.
    """

    def __init__(self, clock: Clock, sleep: Callable[[float], Awaitable[object]]) -> None:
        self._clock = clock
        self._sleep = sleep
        self._under_way = 0
        #: What this second has taken of ours, and at least of others with the same token.
        self._ours = 0
        self._others = 0
        #: When it ends, on the service's clock; None if that was not told.
        self._ends_at_s: float | None = None
        #: As the latest answer told it.
        self.limit: BurstLimit | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a request may be sent, which is what happens within."""
        while (wait_s := self._wait_s()) > 0:
            ends_at_s = self._ends_at_s
            await self._sleep(wait_s)
            if self._ends_at_s == ends_at_s:
                self._begin_next()  # nobody who woke before did
        self._ours += 1
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def told(self, limit: BurstLimit | None) -> None:
        """An answer told ``limit``."""
        if limit is None:
            return
        self.limit = limit
        is_next = self._ends_at_s is None or limit.reset_at_s is None or limit.reset_at_s > self._ends_at_s
        if is_next:
            self._begin(limit.reset_at_s)
        if is_next or limit.reset_at_s == self._ends_at_s:
            # Answers come in any order: of what one misses, as much may be ours as was sent.
            self._others = max(self._others, limit.limit - limit.remaining - self._ours)

    def _wait_s(self) -> float:
        if self.limit is None:
            return 0
        if self._ends_at_s is None:
            # Nothing is known of the next second. Whoever is under way will tell; alone, one may ask.
            return _WINDOW_S if self._left() <= 0 and self._under_way else 0
        rest_s = self._ends_at_s - self._clock.now_ms() / 1000
        if rest_s <= 0:
            self._begin_next()
        # The window is a second: a clock that is set wrong shall not make it an hour.
        return min(max(rest_s, 0), _WINDOW_S) if self._left() <= 0 else 0

    def _left(self) -> int:
        return 0 if self.limit is None else self.limit.limit - self._ours - self._others

    def _begin_next(self) -> None:
        self._begin(None if self._ends_at_s is None else self._ends_at_s + _WINDOW_S)

    def _begin(self, ends_at_s: float | None) -> None:
        """A second begins, into which whatever is under way may fall."""
        self._ours, self._others, self._ends_at_s = self._under_way, 0, ends_at_s
