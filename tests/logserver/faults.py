"""What goes wrong on the way of a request, and how many of them a second may bring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

__all__ = ["Burst", "Fault", "Faults"]


class Fault(StrEnum):
    """What becomes of a request."""

    none = "none"
    #: 503.
    refused = "refused"
    #: The connection is closed without an answer.
    lost = "lost"
    #: The connection is closed in the middle of the answer.
    cut = "cut"
    #: The answer takes its time.
    slow = "slow"


@dataclass(frozen=True, slots=True)
class Faults:
    """The shares of requests that meet each fault; which of them do is a function of ``seed`` and their number."""

    seed: int = 0
    refused: float = 0.0
    lost: float = 0.0
    cut: float = 0.0
    slow: float = 0.0
    slow_s: float = 0.05

    def of(self, number: int) -> Fault:
        """What becomes of the request ``number``."""
        draw = float(np.random.default_rng([self.seed, number]).random())
        for kind in (Fault.refused, Fault.lost, Fault.cut, Fault.slow):
            draw -= getattr(self, kind)
            if draw < 0:
                return kind
        return Fault.none


class Burst:
    """Counts the requests of each second: those over ``limit`` are answered 429, and are violations."""

    def __init__(self, limit: int | None, now_ms: Callable[[], int]) -> None:
        self._limit = limit
        self._now_ms = now_ms
        self._window_s = 0
        self._taken = 0
        self.violations = 0

    def take(self) -> tuple[bool, dict[str, str]]:
        """Whether one more request is within the limit, and the headers that tell of it."""
        if self._limit is None:
            return True, {}
        window_s = self._now_ms() // 1000
        if window_s != self._window_s:
            self._window_s, self._taken = window_s, 0
        self._taken += 1
        self.violations += self._taken > self._limit
        return self._taken <= self._limit, {
            "Burst-RateLimit-Limit": str(self._limit),
            "Burst-RateLimit-Remaining": str(max(0, self._limit - self._taken)),
            "Burst-RateLimit-Reset": str(window_s + 1),
        }
