"""When the seconds of a service end on our clock, as far as its answers tell it."""

from __future__ import annotations

from math import inf
from typing import Final

__all__ = ["WINDOW_S", "Seconds"]

#: The limit counts requests of one second.
WINDOW_S: Final = 1.0
#: By so much of what passes two clocks may part.
_DRIFT: Final = 0.001


class Seconds:
    """How far our clock is ahead of the service's, between two bounds; all in seconds.

    What tells the reset R was counted between R - 1 and R there, and between asked and answered here. So we are ahead
    by less than answered - (R - 1), and by more than asked - R. What either clock shows by itself is not believed.
    """

    def __init__(self) -> None:
        self._least_s, self._most_s = -inf, inf

    @property
    def doubt_s(self) -> float:
        """How much may be between the end of a second and the moment at which it is over for sure."""
        return self._most_s - self._least_s

    def told(self, reset_at_s: float, asked_at_s: float, answered_at_s: float) -> bool:
        """An answer told ``reset_at_s``; False if that cannot be after what others told: a clock was set anew."""
        least_s, most_s = asked_at_s - reset_at_s, answered_at_s - reset_at_s + WINDOW_S
        if least_s >= self._most_s or most_s <= self._least_s:
            self._least_s, self._most_s = least_s, most_s
            return False
        self._least_s, self._most_s = max(self._least_s, least_s), min(self._most_s, most_s)
        return True

    def over_at_s(self, reset_at_s: float) -> float:
        """When the second that ends at ``reset_at_s`` is over for sure, by our clock."""
        return reset_at_s + self._most_s

    def forget(self, passed_s: float) -> None:
        """So much has passed, in which the clocks may have parted a little."""
        self._least_s -= passed_s * _DRIFT
        self._most_s += passed_s * _DRIFT
