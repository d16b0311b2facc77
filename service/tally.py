"""What this process has counted, and the requests it refused last: in memory, bounded, free of personal text.

Kept out of the database on purpose: a stranger who sends forged requests must not be able to make it write.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

__all__ = ["Refusal", "Tally"]

REFUSALS_KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that was turned away at ``route``: when, why, and what it called itself. Never its body."""

    at_ms: int
    route: str
    cause: str
    detail: str
    message_id: str | None = None


class Tally:
    """Counts by what and why; the last refusals, newest first."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._refusals: deque[Refusal] = deque(maxlen=REFUSALS_KEPT)

    def count(self, what: str, why: str, times: int = 1) -> None:
        """Count ``times`` more of ``what`` because of ``why``."""
        self._counts[what, why] += times

    def refuse(self, refusal: Refusal) -> None:
        """Keep ``refusal``, and count it under its route."""
        self.count(refusal.route, refusal.cause)
        self._refusals.appendleft(refusal)

    def counts(self, what: str) -> Mapping[str, int]:
        """How often each cause of ``what`` was counted."""
        return {why: count for (counted, why), count in sorted(self._counts.items()) if counted == what}

    def refusals(self) -> list[dict[str, Any]]:
        """The last refusals, newest first."""
        return [asdict(refusal) for refusal in self._refusals]
