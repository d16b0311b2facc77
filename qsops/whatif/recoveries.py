"""When destinations came back: the ends of outages in each draw, and for how long the load that follows is theirs."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from qsops.whatif.columns import Array
from qsops.whatif.evidence import Evidence
from qsops.whatif.health import Health

__all__ = ["RECOVERY_MS", "Recoveries", "recoveries_of"]

#: So long after its end an outage's load is looked at, unless the next one begins before.
RECOVERY_MS: Final = 3_600_000
#: A stretch with fewer failures is too little to be called an outage.
_LEAST_FAILURES: Final = 3


class Recoveries(NamedTuple):
    """Outages by draw and time: when each began and ended, and until when what follows is counted (unix ms)."""

    draw: Array
    began_ms: Array
    ended_ms: Array
    until_ms: Array
    failures: Array


def recoveries_of(evidence: Evidence, health: Health) -> Recoveries:
    """The outages of each draw that at least three failures of the record fell into, and that ended within it."""
    down = health.state > 0
    edges = np.diff(np.pad(down, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    draw, begin = np.nonzero(edges == 1)
    _, end = np.nonzero(edges == -1)
    failures = _failures_before(evidence, health)
    hits = failures[draw, end] - failures[draw, begin]
    began_ms = np.where(begin > 0, health.turn_ms[draw, np.maximum(begin - 1, 0)], health.time_ms[0])
    ended_ms = np.where(
        end < down.shape[1], health.turn_ms[draw, np.minimum(end, down.shape[1] - 1) - 1], health.time_ms[-1]
    )
    kept = (hits >= _LEAST_FAILURES) & (end <= evidence.last + 1)
    draw, began_ms, ended_ms, hits = draw[kept], began_ms[kept], ended_ms[kept], hits[kept]
    until_ms = ended_ms + RECOVERY_MS
    follows = np.r_[draw[1:] == draw[:-1], False]
    until_ms = np.where(follows, np.minimum(until_ms, np.r_[began_ms[1:], 0.0]), until_ms)
    return Recoveries(draw, began_ms, ended_ms, until_ms, hits)


def _failures_before(evidence: Evidence, health: Health) -> Array:
    """Per draw and point how many failures came before it that were not the message's own."""
    draws, size = health.state.shape
    bad = np.broadcast_to(evidence.bad, (draws, size)).copy()
    draw, nth = np.nonzero(~health.faulty[:, evidence.by])
    np.add.at(bad, (draw, evidence.at[nth]), 1)
    found: Array = np.pad(bad.cumsum(axis=1), ((0, 0), (1, 0)))
    return found
