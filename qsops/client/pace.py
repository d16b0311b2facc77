"""Pace: how whoever sends many requests at once stays under the burst limit that the service advertises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import floor, inf
from typing import Final

from qsops.client.seconds import WINDOW_S, Seconds
from qsops.clock import Clock
from qsops.errors import Unreachable
from qsops.wire.failures import BurstLimit

__all__ = ["Pace", "Turn"]

#: An answer that comes may let the next one go before its time: so often it is looked for.
_GLANCE_S: Final = 0.02
_SHORTEST_WAIT_S: Final = 0.001
#: While the end of a second is known no better than this, one request in so many is kept to find it out.
_DOUBT_S: Final = 0.3
_KEPT: Final = 10


class Pace:
    """Never lets a second have more requests than its limit, wherever what is under way is counted.

    Which second counts a request is not known before its answer tells it: until then it may be any that is not over.
    So of what is left, all that is under way is kept free; a second is over when an answer tells a later one, or when
    by the answers that there were it must be (:class:`~qsops.client.seconds.Seconds`). ``sleep`` takes seconds.
    """

    def __init__(self, clock: Clock, sleep: Callable[[float], Awaitable[object]]) -> None:
        self._clock = clock
        self._sleep = sleep
        self._seconds = Seconds()
        #: One waits, the others behind it.
        self._gate = asyncio.Lock()
        self._under_way = 0
        #: The end of the second that runs, on the service's clock; None if that was not told.
        self._ends_at_s: float | None = None
        #: What it has taken, ours and others', as the answers tell.
        self._taken = 0
        #: Whose answer did not come, or tells nothing: in this second, and in the one before if it may have run on.
        self._lost, self._lost_before = 0, 0
        self._next_at_s = 0.0
        #: As the latest answer told it.
        self.limit: BurstLimit | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Wait until a request may be sent, which is what happens within; its answer is told to the turn."""
        async with self._gate:
            while (wait_s := self._wait_s()) > 0:
                await self._sleep(max(wait_s, _SHORTEST_WAIT_S))
                if self._ends_at_s is None:
                    self._begin(None, is_sure=True)
        turn = Turn(self, self._clock.monotonic_s(), -inf if self._ends_at_s is None else self._ends_at_s)
        self._under_way += 1
        try:
            yield turn
        except Unreachable:
            turn.is_settled = True  # nothing was sent
            raise
        finally:
            self._under_way -= 1
            self._lost += not turn.is_settled and self.limit is not None

    def told(self, limit: BurstLimit | None, turn: Turn | None = None) -> None:
        """An answer told ``limit``, to a request that had a ``turn`` or to another."""
        if limit is None or limit.limit < 1:
            return  # who allows nothing, and answers all the same, has no limit
        self.limit = limit
        taken, reset_at_s = limit.limit - limit.remaining, limit.reset_at_s
        if reset_at_s is None:
            self._begin(None, is_sure=False)
            self._taken = taken
            return
        if not self._fits(reset_at_s, turn) or self._ends_at_s is None or reset_at_s > self._ends_at_s:
            self._begin(reset_at_s, is_sure=False)
        if reset_at_s == self._ends_at_s:
            # Whoever was answered in this second was counted before the one that was told the most.
            self._taken = max(self._taken, taken)

    def _fits(self, reset_at_s: float, turn: Turn | None) -> bool:
        """Whether that second may come after those that were told before; if not, some clock was set anew."""
        asked_at_s, asked_in_s = (-inf, -inf) if turn is None else (turn.asked_at_s, turn.asked_in_s)
        may_be = reset_at_s >= asked_in_s
        if not may_be:
            self._seconds = Seconds()
        return self._seconds.told(reset_at_s, asked_at_s, self._clock.monotonic_s()) and may_be

    def _wait_s(self) -> float:
        if self.limit is None:
            return 0
        if self._ends_at_s is None:
            # Nothing is known of the next second. Whoever is under way will tell; alone, one may ask.
            return WINDOW_S if self._left() <= 0 and self._under_way else 0
        now_s = self._clock.monotonic_s()
        over_at_s = self._seconds.over_at_s(self._ends_at_s)
        if now_s >= over_at_s:
            self._begin(self._ends_at_s + WINDOW_S * (floor((now_s - over_at_s) / WINDOW_S) + 1), is_sure=True)
            over_at_s = self._seconds.over_at_s(self._ends_at_s)
        left = self._left()
        if left <= 0:
            wait_s = over_at_s - now_s
        elif left <= self.limit.limit // _KEPT and self._seconds.doubt_s > _DOUBT_S:
            wait_s = self._apart_s(now_s, over_at_s, left)
        else:
            return 0
        return min(wait_s, _GLANCE_S) if self._under_way else wait_s

    def _apart_s(self, now_s: float, over_at_s: float, left: int) -> float:
        """What is left goes one by one until the second is over: so an answer comes soon after its end, and tells."""
        if now_s < self._next_at_s:
            return self._next_at_s - now_s
        self._next_at_s = now_s + (over_at_s - now_s) / left
        return 0

    def _left(self) -> int:
        if self.limit is None:
            return 0
        return self.limit.limit - self._taken - self._under_way - self._lost - self._lost_before

    def _begin(self, ends_at_s: float | None, *, is_sure: bool) -> None:
        """A second begins; unless it ``is_sure`` that the one before is over, what was lost may belong to it."""
        if ends_at_s is not None and self._ends_at_s is not None:
            self._seconds.forget(max(0, ends_at_s - self._ends_at_s))
        self._lost_before, self._lost = 0 if is_sure else self._lost, 0
        self._ends_at_s, self._taken, self._next_at_s = ends_at_s, 0, 0.0


@dataclass(slots=True)
class Turn:
    """A request that is under way, asked in the second that ended at ``asked_in_s`` by the service's clock.

    ``is_settled`` once it is known where it was counted, or that it was not sent.
    """

    pace: Pace = field(repr=False)
    asked_at_s: float
    asked_in_s: float
    is_settled: bool = False

    def told(self, limit: BurstLimit | None) -> None:
        """Its answer told ``limit``."""
        self.is_settled = limit is not None
        self.pace.told(limit, self)
