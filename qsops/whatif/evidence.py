"""What a record says about a destination's health: points in time, few enough to work on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from qsops.whatif.columns import Array
from qsops.whatif.record import Kind, Record

__all__ = ["Evidence", "evidence_of"]

#: Attempts that lie close together become one point beyond so many; and between them time is cut into so many steps.
POINTS_LIMIT: Final = 2_500
_STEPS: Final = 400
#: Successes that lie this near to a failure stay points of their own: they tell where an outage begins and ends.
_NEAR: Final = 3
#: How far beyond the record the destination's health is continued: as long as a policy may wait.
_BEYOND_MS: Final = 60 * 86_400_000


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """``time_ms`` ascending. Per point how many attempts were answered well, and how many failed for no known reason.

    ``suspects`` are messages that never succeeded; those in ``guilty`` were told that it is their own fault. Of the
    others each failure may be: ``by`` and ``at`` say of which suspect it is, at which point. ``clean`` messages have
    succeeded.
    """

    time_ms: Array
    good: Array
    bad: Array
    suspects: Array
    guilty: Array
    by: Array
    at: Array
    clean: int
    range_ms: float

    @property
    def troubled(self) -> bool:
        """Whether anything failed that the destination may have to do with."""
        return bool(self.bad.any() or len(self.by))

    @property
    def last(self) -> int:
        """The last point at which there was an attempt: what is drawn beyond it nothing was seen of."""
        seen = (self.good > 0) | (self.bad > 0)
        seen[self.at] = True
        return int(np.flatnonzero(seen)[-1])


def evidence_of(record: Record) -> Evidence:
    """The points of ``record``. An answer that finds fault with its message is one of a healthy destination."""
    failed = (record.kind == Kind.DOWN) | (record.kind == Kind.HANG)
    order = np.argsort(record.started_ms, kind="stable")
    point = np.empty(len(order), dtype=np.int64)
    point[order] = _points(failed[order])
    time_ms = _means(point, record.started_ms)
    suspects = np.flatnonzero(~record.delivered)
    number = np.cumsum(~record.delivered) - 1
    guilty = np.zeros(len(record.delivered), dtype=bool)
    guilty[record.message[(record.kind == Kind.OWN) | (record.kind == Kind.FINAL)]] = True
    # Whom the destination finds fault with says so when he is at fault: his other failures are the destination's own.
    own = failed & (~record.delivered & ~guilty)[record.message]
    size = len(time_ms)
    good = np.bincount(point[~failed], minlength=size)
    bad = np.bincount(point[failed & ~own], minlength=size)
    by, at = number[record.message[own]], point[own]
    range_ms = float(max(1, time_ms[-1] - time_ms[0]))
    times, where = _with_steps(time_ms, range_ms)
    spread_good, spread_bad = np.zeros(len(times)), np.zeros(len(times))
    spread_good[where], spread_bad[where] = good, bad
    return Evidence(
        times,
        spread_good,
        spread_bad,
        suspects,
        guilty[suspects],
        by,
        where[at],
        clean=int(record.delivered.sum()),
        range_ms=range_ms,
    )


def _points(failed: Array) -> Array:
    """The point of each attempt, in their order: one each, unless there are too many."""
    count = len(failed)
    if count <= POINTS_LIMIT:
        return np.arange(count)
    near: Array = np.convolve(failed, np.ones(2 * _NEAR + 1), mode="same") > 0.5
    dull, rest = int((~near).sum()), int(near.sum())
    if rest > POINTS_LIMIT // 2:
        return np.arange(count) * POINTS_LIMIT // count
    each = max(1, -(-dull // (POINTS_LIMIT // 2)))
    begins = near | np.r_[True, near[:-1]] | ((np.cumsum(~near) - 1) % each == 0)
    found: Array = np.cumsum(begins) - 1
    return found


def _means(point: Array, time_ms: Array) -> Array:
    found: Array = np.bincount(point, weights=(time_ms - time_ms.min()).astype(float)) / np.bincount(point)
    whole: Array = found + time_ms.min()
    return whole


def _with_steps(time_ms: Array, range_ms: float) -> tuple[Array, Array]:
    """The points and steps in their gaps, so that much may happen between two attempts; and where the points stand."""
    step_ms = range_ms / _STEPS
    gaps = np.diff(time_ms)
    inside = np.maximum(np.ceil(gaps / step_ms).astype(np.int64) - 1, 0)
    start = np.repeat(time_ms[:-1], inside)
    nth = np.arange(len(start)) - np.repeat(np.cumsum(inside) - inside, inside) + 1
    between = start + nth * np.repeat(gaps / (inside + 1), inside)
    # Later steps grow, since nothing is known there but how such a destination behaves.
    beyond = time_ms[-1] + np.geomspace(step_ms, max(_BEYOND_MS, 2 * step_ms), 80)
    before = time_ms[0] - step_ms
    times = np.concatenate([[before], time_ms, between, beyond])
    order = np.argsort(times, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return times[order], rank[1 : 1 + len(time_ms)]
