"""What this process has counted, and the requests it refused last: in memory, bounded, free of personal text.

Kept out of the database on purpose: a stranger who sends forged requests must not be able to make it write. Plain
numbers, since they are counted on every delivery; :mod:`service.metrics` gives them their names when it is asked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

__all__ = ["ALERTS", "CALLBACKS", "DELIVERIES", "EVENTS", "SECONDS", "Refusal", "Tally"]

REFUSALS_KEPT: Final = 100
#: What :meth:`Tally.count` counts, beside the routes of refused requests: deliveries by outcome, events that were
#: received by what became of them, callbacks by what they reported, posts of alerts by what became of them.
DELIVERIES: Final = "deliveries"
EVENTS: Final = "events"
CALLBACKS: Final = "callbacks"
ALERTS: Final = "alerts"
#: Upper bounds of the histogram of handler times; what took longer is counted above the last.
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that was turned away at ``route``: when, why, and what it called itself. Never its body."""

    at_ms: int
    route: str
    cause: str
    detail: str
    message_id: str | None = None


class Tally:
    """Counts by what and why; how long handlers took; the last refusals, newest first."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._refusals: deque[Refusal] = deque(maxlen=REFUSALS_KEPT)
        self._handled = [0] * (len(SECONDS) + 1)
        self._handled_s = 0.0

    def count(self, what: str, why: str, times: int = 1) -> None:
        """Count ``times`` more of ``what`` because of ``why``."""
        self._counts[what, why] += times

    def delivered(self, outcome: str) -> None:
        """Count a delivery that was let in."""
        self._counts[DELIVERIES, outcome] += 1

    def handler_took(self, seconds: float) -> None:
        """Count a handler that ended, whatever came of it, after so long."""
        self._handled[bisect_left(SECONDS, seconds)] += 1
        self._handled_s += seconds

    def refuse(self, refusal: Refusal) -> None:
        """Keep ``refusal``, and count it under its route."""
        self.count(refusal.route, refusal.cause)
        self._refusals.appendleft(refusal)

    def counts(self, what: str) -> Mapping[str, int]:
        """How often each cause of ``what`` was counted."""
        return {why: count for (counted, why), count in sorted(self._counts.items()) if counted == what}

    def handled(self) -> tuple[list[int], float]:
        """How many handlers ended within each of SECONDS and above the last, and the sum of their seconds."""
        return list(self._handled), self._handled_s

    def refusals(self) -> list[dict[str, Any]]:
        """The last refusals, newest first."""
        return [asdict(refusal) for refusal in self._refusals]
