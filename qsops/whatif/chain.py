"""A hidden chain in continuous time: one state that is up, and several that are down.

From up to down at one rate, the depth drawn by its weight; back at another; and at a third the depth is drawn anew. For
such a chain the chances over any gap are a closed form: whatever its depth was, once anything has happened and it is
down, it is down at a depth that was drawn by weight.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qsops.whatif.columns import Array

__all__ = ["Rates", "sample"]


class Rates(NamedTuple):
    """Per draw, per millisecond: from up to down, from down to up, and from one depth to another."""

    falls: Array
    rises: Array
    changes: Array


class _Gaps(NamedTuple):
    """Per draw and gap: up to down, down to up, and down without that anything happened."""

    falls: Array
    rises: Array
    stays: Array


def sample(
    time_ms: Array,
    good: Array,
    bad: Array,
    shares: Array,
    rates: Rates,
    weights: Array,
    generator: np.random.Generator,
) -> Array:
    """A state per draw and point, of all paths that explain ``good`` and ``bad`` by how likely each is.

    ``good`` per point, ``bad`` per draw and point; ``shares[d, s]`` of the attempts fail in state ``s``, 0 is up.
    """
    gaps = _gaps(np.diff(time_ms), rates)
    likely = _likelihoods(good, bad, shares)
    forward = _forward(likely, gaps, rates, weights)
    return _backward(forward, gaps, weights, generator)


def _gaps(gap_ms: Array, rates: Rates) -> _Gaps:
    falls, rises, changes = (rate[:, None] for rate in rates)
    both = falls + rises
    settled = -np.expm1(-both * gap_ms)
    return _Gaps(falls / both * settled, rises / both * settled, np.exp(-(rises + changes) * gap_ms))


def _likelihoods(good: Array, bad: Array, shares: Array) -> Array:
    """By point, draw and state; scaled so that the likeliest state of each has 1."""
    fails, holds = np.log(shares).astype(np.float32), np.log1p(-shares).astype(np.float32)
    logs = bad.T[:, :, None].astype(np.float32) * fails + good[:, None, None].astype(np.float32) * holds
    logs -= logs.max(axis=2, keepdims=True)
    found: Array = np.exp(logs, out=logs)
    return found


def _forward(likely: Array, gaps: _Gaps, rates: Rates, weights: Array) -> Array:
    """By point, draw and state: how likely, given what was seen until then."""
    found = np.empty_like(likely)
    down = rates.falls / (rates.falls + rates.rises)
    now = np.concatenate([1 - down[:, None], down[:, None] * weights], axis=1)
    for point in range(len(likely)):
        if point:
            now = _moved(now, gaps, point - 1, weights)
        now = now * likely[point]
        now /= now.sum(axis=1, keepdims=True)
        found[point] = now
    return found


def _moved(now: Array, gaps: _Gaps, gap: int, weights: Array) -> Array:
    falls, rises, stays = gaps.falls[:, gap], gaps.rises[:, gap], gaps.stays[:, gap]
    up, down = now[:, 0], 1 - now[:, 0]
    after = np.empty_like(now)
    after[:, 0] = up * (1 - falls) + down * rises
    anew = down * np.maximum(1 - rises - stays, 0) + up * falls
    after[:, 1:] = now[:, 1:] * stays[:, None] + anew[:, None] * weights
    return after


def _backward(forward: Array, gaps: _Gaps, weights: Array, generator: np.random.Generator) -> Array:
    points, draws, _ = forward.shape
    each = np.arange(draws)
    chance = generator.random((points, draws))
    found = np.empty((points, draws), dtype=np.int8)
    now = _picked(forward[-1], chance[-1])
    found[-1] = now
    padded = np.r_[1.0, weights]
    for point in range(points - 2, -1, -1):
        falls, rises, stays = gaps.falls[:, point], gaps.rises[:, point], gaps.stays[:, point]
        up, weight = now == 0, padded[now]
        ways = forward[point].copy()
        ways[:, 0] *= np.where(up, 1 - falls, falls * weight)
        before = ways[each, now]
        ways[:, 1:] *= np.where(up, rises, weight * np.maximum(1 - rises - stays, 0))[:, None]
        ways[each, now] += np.where(up, 0.0, stays * before)
        now = _picked(ways, chance[point])
        found[point] = now
    return found.T


def _picked(ways: Array, chance: Array) -> Array:
    sums = ways.cumsum(axis=1)
    picked = (sums < (chance * sums[:, -1])[:, None]).sum(axis=1)
    found: Array = np.minimum(picked, ways.shape[1] - 1)
    return found
