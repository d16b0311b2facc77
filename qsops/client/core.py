"""When to ask again: a pure decision over (what failed, how often, now), shared by every caller.

- Nothing was sent (Unreachable), or it was turned away for its pace (429, burst): asking again is always safe.
- The answer was lost, or the server failed (5xx): it may have taken effect, so only what is *repeatable* is asked
  again: reading, what is the same done twice, and a publish under a deduplication id.
- The daily quota, a refusal (4xx), a bad token: asking again does not help.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qsops.errors import OutcomeUnknown, RateLimited, ServerFault, ServiceError, Unreachable

__all__ = ["DEFAULT_POLICY", "Asking", "RetryPolicy"]

# A repeat later than QStash remembers a deduplication id (10 minutes) would be a second message.
_DEDUPLICATION_WINDOW_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient a client is. Waits grow from ``first_wait_s``, doubling, to ``longest_wait_s``, with jitter.

    ``faults`` and ``bursts`` say how often a call is asked again; with ``may_start`` False not even once where nobody
    listens, since on this machine a service that is not there does not come by itself. ``patience_s`` bounds the sum of
    all waits of one call and stays well below the deduplication window.
    """

    faults: int = 5
    bursts: int = 60
    may_start: bool = True
    first_wait_s: float = 0.2
    longest_wait_s: float = 10.0
    patience_s: float = 120.0

    def __post_init__(self) -> None:
        if self.patience_s > _DEDUPLICATION_WINDOW_S / 2:
            raise ValueError(f"patience_s {self.patience_s} reaches the deduplication window of 600 s")


DEFAULT_POLICY: Final = RetryPolicy()


class Asking:
    """One call's history of failures; it decides, and neither waits nor sends."""

    def __init__(self, policy: RetryPolicy, *, repeatable: bool) -> None:
        self._policy = policy
        self._repeatable = repeatable
        self._faults = 0
        self._bursts = 0
        self._waited_s = 0.0
        self._doubt: OutcomeUnknown | ServerFault | None = None

    def wait_s(self, error: ServiceError, *, now_ms: int, jitter: float) -> float:
        """Seconds to wait before asking again; ``jitter`` is a draw from [0, 1).

        :raises ServiceError: when it is over. That is ``error``, unless an earlier request may have taken effect and
            ``error`` cannot tell whether it did: then OutcomeUnknown.
        """
        if isinstance(error, OutcomeUnknown) or (isinstance(error, ServerFault) and self._doubt is None):
            self._doubt = error
        wait_s = self._next_wait_s(error, now_ms, jitter)
        if wait_s is None or self._waited_s + wait_s > self._policy.patience_s:
            raise self._verdict(error)
        self._waited_s += wait_s
        return wait_s

    def _next_wait_s(self, error: ServiceError, now_ms: int, jitter: float) -> float | None:
        if isinstance(error, RateLimited):
            return self._burst_wait_s(error, now_ms, jitter) if error.kind == "burst" else None
        if isinstance(error, Unreachable):
            may_ask = self._policy.may_start
        else:
            may_ask = self._repeatable and isinstance(error, (OutcomeUnknown, ServerFault))
        if not may_ask or self._faults >= self._policy.faults:
            return None
        self._faults += 1
        ceiling_s = min(self._policy.longest_wait_s, self._policy.first_wait_s * 2.0 ** (self._faults - 1))
        return ceiling_s * (0.5 + jitter / 2)

    def _burst_wait_s(self, error: RateLimited, now_ms: int, jitter: float) -> float | None:
        """The limit is per second: wait for its reset, spread a little so that waiters do not return as one."""
        if self._bursts >= self._policy.bursts:
            return None
        self._bursts += 1
        until_reset_s = 1.0 if error.reset_at_s is None else max(0.0, error.reset_at_s - now_ms / 1000)
        return until_reset_s + 0.05 + 0.2 * jitter

    def _verdict(self, error: ServiceError) -> ServiceError:
        tells_nothing = isinstance(error, (Unreachable, RateLimited, ServerFault))
        if self._doubt is None or self._doubt is error or not tells_nothing:
            return error
        if isinstance(self._doubt, ServerFault) and isinstance(error, ServerFault):
            return error
        verdict = OutcomeUnknown(f"{self._doubt}; asked again without success: {error}")
        verdict.__cause__ = error
        return verdict
