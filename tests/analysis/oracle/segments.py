"""Stretches of a sequence whose scores add up to the most, by what they are: the best one, then those beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Segment", "best_segments"]


class Segment(NamedTuple):
    """From ``first`` to ``last``, which both belong to it."""

    first: int
    last: int
    score: float


def best_segments(scores: Sequence[float], least: float) -> list[Segment]:
    """The best stretch, the best of what is left of it, the best of what is right of it, and so on, down to ``least``.

    This is how Ruzzo and Tompa define what their algorithm finds; of equal ones the shortest counts, then the first.
    """
    sums = np.concatenate([[0.0], np.cumsum(np.asarray(scores, dtype=float))])
    found: list[Segment] = []
    parts = [(0, len(scores))]
    while parts:
        begin, end = parts.pop()
        best = _best(sums[begin : end + 1])
        if best is None or best.score < least:
            continue
        found.append(Segment(begin + best.first, begin + best.last, best.score))
        parts += [(begin, begin + best.first), (begin + best.last + 1, end)]
    return sorted(found)


def _best(sums: npt.NDArray[np.float64]) -> Segment | None:
    """The stretch between two of the running ``sums`` that are furthest apart, the later one the higher."""
    if len(sums) < 2:
        return None
    lowest = np.minimum.accumulate(sums)[:-1]
    gains = sums[1:] - lowest
    last = int(np.argmax(gains))
    if gains[last] <= 0:
        return None
    # Of several lows the latest: a stretch holds nothing at its beginning that adds nothing.
    first = int(np.flatnonzero(sums[: last + 1] == lowest[last])[-1])
    return Segment(first, last, float(gains[last]))
