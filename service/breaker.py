"""Whether it is worth waiting for QStash: while it does not answer, nobody stands in line to find out again."""

from __future__ import annotations

from typing import Final

from qsops.clock import Clock

__all__ = ["AWAY_AFTER", "PROBE_MS", "Breaker"]

#: Requests without an answer, one after another, until QStash counts as away; a single one may be a lost connection.
AWAY_AFTER: Final = 2
#: While it is away, one request in so many milliseconds may wait for it all the same.
PROBE_MS: Final = 10_000


class Breaker:
    """What this process has seen of QStash lately, shared by all who publish."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._unanswered = 0
        self._probe_at_ms = 0

    @property
    def is_away(self) -> bool:
        """The last requests got no answer."""
        return self._unanswered >= AWAY_AFTER

    def allows(self) -> bool:
        """Whether to ask QStash now. While it is away, who is told so first is the probe, and the others are not."""
        if not self.is_away:
            return True
        now_ms = self._clock.now_ms()
        if now_ms < self._probe_at_ms:
            return False
        self._probe_at_ms = now_ms + PROBE_MS
        return True

    def answered(self) -> None:
        """QStash gave an answer, whatever it was."""
        self._unanswered = 0

    def unanswered(self) -> None:
        """A request ran out of patience, or found no connection."""
        self._unanswered += 1
        self._probe_at_ms = self._clock.now_ms() + PROBE_MS
