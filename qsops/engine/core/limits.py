"""What a flow-control key lets pass: pure decisions over the calls of its window and those under way.

The windows of the rate are fixed: one begins with the first call after the last has ended, and lasts a period. So two
windows that follow each other may together hold twice the rate within less than a period, as on the hosted service.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FlowLimits", "Window"]


@dataclass(frozen=True, slots=True)
class Window:
    """One period of the rate: when it began, and how many calls it has seen."""

    start_ms: int
    count: int


@dataclass(frozen=True, slots=True)
class FlowLimits:
    """The limits of a key; None is not set. The period counts for the rate alone."""

    parallelism: int | None
    rate: int | None
    period_s: int
    paused: bool = False

    def is_over(self, window: Window, now_ms: int) -> bool:
        """Whether a call at ``now_ms`` falls into another window than ``window``.

        One that lies ahead is of a clock that was put back: nobody waits for it to come again.
        """
        return now_ms >= self._end_ms(window) or now_ms < window.start_ms - self.period_s * 1000

    def room(self, window: Window, under_way: int) -> int | None:
        """How many may pass at once, in the current ``window``; None is any number."""
        if self.paused:
            return 0
        rooms = [
            *(() if self.parallelism is None else (self.parallelism - under_way,)),
            *(() if self.rate is None else (self.rate - window.count,)),
        ]
        return max(0, min(rooms)) if rooms else None

    def opens_ms(self, window: Window) -> int | None:
        """When time alone lets somebody pass, in the current ``window``; None where it waits for something else."""
        if self.paused or self.rate is None or window.count < self.rate:
            return None
        return self._end_ms(window)

    def _end_ms(self, window: Window) -> int:
        return window.start_ms + self.period_s * 1000
