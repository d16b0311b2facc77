"""What a flow-control key lets pass: a pure decision over the calls of its window and those under way."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["FlowLimits", "Window", "admits", "opens_ms"]


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

    def window_at(self, window: Window, now_ms: int) -> Window:
        """The window that a call at ``now_ms`` falls into: a new one begins with the first call after the last."""
        return Window(now_ms, 0) if now_ms >= self._end_ms(window) else window

    def _end_ms(self, window: Window) -> int:
        return window.start_ms + self.period_s * 1000


def admits(limits: FlowLimits, window: Window, under_way: int, now_ms: int) -> Window | None:
    """The window with one more call in it, if one may pass now; else None."""
    current = limits.window_at(window, now_ms)
    if limits.paused or (limits.parallelism is not None and under_way >= limits.parallelism):
        return None
    if limits.rate is not None and current.count >= limits.rate:
        return None
    return replace(current, count=current.count + 1)


def opens_ms(limits: FlowLimits, window: Window, now_ms: int) -> int | None:
    """When time alone lets the next call pass; None where it waits for something else, or for nothing."""
    if limits.paused or limits.rate is None or limits.window_at(window, now_ms).count < limits.rate:
        return None
    return limits._end_ms(window)
