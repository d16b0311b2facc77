"""What is planted: destinations, what goes wrong at them and when; drawn from a seed, and written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

__all__ = ["CAUSES", "Cause", "Outage", "Plan", "plan"]

#: 2026-01-01.
_FROM_MS: Final = 1_767_225_600_000
_DAY_MS: Final = 86_400_000
_OUTAGES_EACH_DAY: Final = 2
_SHORTEST_MS: Final = 5 * 60_000
_LONGEST_MS: Final = 3 * 3_600_000


@dataclass(frozen=True, slots=True)
class Cause:
    """Why attempts fail: ``status`` 0 is no answer. In ``error`` a ``#`` is another number each time."""

    name: str
    status: int
    error: str
    takes_ms: int = 0


#: The first three are of outages, the next two come and go, the last is the message's own fault.
CAUSES: Final = (
    Cause("overloaded", 503, "the destination answered 503: worker # of pool b is overloaded"),
    Cause("hangs", 0, "timeout: no answer within 10 s", takes_ms=10_000),
    Cause("refused", 0, "no connection to 10.0.#.#:443: connection refused"),
    Cause("database", 500, "the destination answered 500: deadlock detected, process # waits for ShareLock"),
    Cause("gateway", 502, "the destination answered 502: upstream request id # failed"),
    Cause("invalid", 422, "the destination answered 422: order # is unknown"),
)
_OF_OUTAGES: Final = 3


@dataclass(frozen=True, slots=True)
class Outage:
    """From ``from_ms`` until before ``to_ms`` the share ``depth`` of a destination's attempts fails, for ``cause``."""

    destination: int
    from_ms: int
    to_ms: int
    depth: float
    cause: int


@dataclass(frozen=True, slots=True)
class Plan:
    """So many messages within ``span_ms``; ``transient`` is each destination's share of failures without an outage."""

    seed: int
    messages: int
    from_ms: int
    span_ms: int
    weights: tuple[float, ...]
    transient: tuple[float, ...]
    latency_ms: tuple[float, ...]
    outages: tuple[Outage, ...]
    #: The share of messages that can never be processed, and of those that are delivered twice.
    invalid: float = 0.002
    doubled: float = 0.001
    retries: int = 5


def plan(seed: int, messages: int, *, days: int = 7, destinations: int = 20) -> Plan:
    """A plan: the same one for the same arguments."""
    rng = np.random.default_rng(seed)
    weights = rng.pareto(1.2, destinations) + 0.05
    outages = [_outage(rng, days * _DAY_MS, destinations) for _ in range(_OUTAGES_EACH_DAY * days)]
    return Plan(
        seed=seed,
        messages=messages,
        from_ms=_FROM_MS,
        span_ms=days * _DAY_MS,
        weights=tuple(float(weight) for weight in weights / weights.sum()),
        transient=tuple(float(share) for share in rng.uniform(0.001, 0.02, destinations)),
        latency_ms=tuple(float(ms) for ms in rng.uniform(20, 400, destinations)),
        outages=tuple(sorted(outages, key=lambda one: one.from_ms)),
    )


def _outage(rng: np.random.Generator, span_ms: int, destinations: int) -> Outage:
    from_ms = _FROM_MS + int(rng.integers(0, span_ms - _LONGEST_MS))
    lasts_ms = int(np.exp(rng.uniform(np.log(_SHORTEST_MS), np.log(_LONGEST_MS))))
    depth = float(rng.choice([0.3, 0.7, 1.0]))
    return Outage(
        int(rng.integers(destinations)), from_ms, from_ms + lasts_ms, depth, cause=int(rng.integers(_OF_OUTAGES))
    )
