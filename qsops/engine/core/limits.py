"""What a flow-control key lets pass: pure decisions over the calls of its window and those under way.

The windows of the rate are fixed: one begins with the first call after the last has ended, and lasts a period. So two
windows that follow each other may together hold twice the rate within less than a period, as on the hosted service.

To pass is not to be called: who has passed counts at once, so that nobody else takes his call, and a window begins with
the first who is called.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FlowLimits", "Window"]


@dataclass(frozen=True, slots=True)
class Window:
    """One period of the rate: when it began, and how many calls it has seen, with those who have passed for one.

    One that has not ``begun`` awaits its first call, and moves on to it.
    """

    start_ms: int
    count: int
    begun: bool = True

    def with_passing(self, count: int, latest: Window) -> Window:
        """The window of now, once ``count`` have passed; it is ``latest``, the last that is known, or follows that."""
        if latest.begun or not self.count:
            return Window(self.start_ms, self.count + count, latest.begun and self == latest)
        # It awaits the same first call, which may have come already, and only not be known.
        return Window(latest.start_ms, self.count + count, begun=False)


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

    def after_call(self, window: Window, at_ms: int, not_called: int) -> Window:
        """The latest window, now that one who had passed is known to have been called at ``at_ms``.

        ``not_called`` are the others who have passed: calls become known in their order, though maybe late.
        """
        if self.is_over(window, at_ms):
            return Window(at_ms, not_called + 1)
        if at_ms < window.start_ms:
            # He was called in the window before, and counted in this one for nothing.
            return Window(window.start_ms, max(0, window.count - 1), window.begun)
        return window if window.begun else Window(at_ms, window.count)

    def opens_ms(self, window: Window) -> int | None:
        """When time alone lets somebody pass, in the current ``window``; None where it waits for something else."""
        if self.paused or self.rate is None or window.count < self.rate:
            return None
        return self._end_ms(window)

    def _end_ms(self, window: Window) -> int:
        return window.start_ms + self.period_s * 1000
