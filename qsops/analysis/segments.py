"""Stretches of a sequence whose scores add up to the most: all of them, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Segment", "best_segments"]


class Segment(NamedTuple):
    """From ``first`` to ``last``, which both belong to it."""

    first: int
    last: int
    score: float


def best_segments(scores: Sequence[float], least: float) -> list[Segment]:
    """The maximal scoring stretches of ``scores`` that reach ``least``, in their order.

    None of them can be made longer or shorter for a better score, and they do not touch. After Ruzzo and Tompa, "A
    linear time algorithm for finding all maximal scoring subsequences", 1999.
    """
    done: list[Segment] = []
    # Of each candidate: its first and last place, and the sums before it and up to its end.
    found: list[tuple[int, int, float, float]] = []
    total = 0.0
    for place, score in enumerate(scores):
        before, total = total, total + score
        if score <= 0:
            continue
        first, left = place, before
        while found:
            at = next((n for n in reversed(range(len(found))) if found[n][2] < left), None)
            if at is None:
                # None of them can grow any more; without this, a long quiet sequence would take quadratic time.
                done += _reaching(found, least)
                found.clear()
            elif found[at][3] < total:
                first, left = found[at][0], found[at][2]
                del found[at:]
            else:
                break
        found.append((first, place, left, total))
    return [*done, *_reaching(found, least)]


def _reaching(candidates: Sequence[tuple[int, int, float, float]], least: float) -> list[Segment]:
    return [Segment(first, last, right - left) for first, last, left, right in candidates if right - left >= least]
