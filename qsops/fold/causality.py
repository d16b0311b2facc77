"""The order of what happened to one message within one millisecond.

A handler that answers at once writes ACTIVE and ERROR on the same millisecond; with a retry delay of 0, or on a manual
clock, several attempts do. Which comes first follows from whether an attempt was under way when the millisecond began:
ERROR, RETRY, ACTIVE if one was, else ACTIVE, ERROR, RETRY.
"""

from __future__ import annotations

import numpy as np

from qsops.fold.kinds import Array, Kind

__all__ = ["by_cause"]

_LATER = np.iinfo(np.int64).max


def by_cause(message: Array, time: Array, kind: Array) -> Array:
    """The permutation that brings steps, sorted by message, time and kind, into the order of their causes."""
    order = np.arange(len(message))
    if not len(message):
        return order
    moment = _numbered(message, time)
    starts = _counts(moment, kind == Kind.ACTIVE)
    ends = _counts(moment, (kind == Kind.ERROR) | (kind == Kind.DELIVERED))
    first = np.flatnonzero(np.r_[True, moment[1:] != moment[:-1]])
    under_way = _under_way(message[first], starts, ends)
    # Elsewhere the order of the kinds is that of their causes already.
    crowded = (starts > 1) | (ends > 1) | (under_way & (starts > 0))
    crowd = np.flatnonzero(crowded[moment])
    rounds = _rounds(moment[crowd], kind[crowd], under_way)
    order[crowd] = crowd[np.lexsort((kind[crowd], rounds, moment[crowd]))]
    return order


def _numbered(*keys: Array) -> Array:
    """A number for each run of equal keys, from 0."""
    changes = np.zeros(len(keys[0]), dtype=np.int64)
    changes[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return np.cumsum(changes)


def _counts(moment: Array, which: Array) -> Array:
    return np.bincount(moment[which], minlength=int(moment[-1]) + 1)


def _under_way(message: Array, starts: Array, ends: Array) -> Array:
    """Per moment whether an attempt was under way when it began.

    More ends than starts: one was, and is over. More starts than ends: none was, and one is now. As many of both: as
    it was after the last moment that told.
    """
    tells = np.flatnonzero(starts != ends)
    before = np.searchsorted(tells, np.arange(len(message))) - 1
    last = tells[np.maximum(before, 0)] if len(tells) else np.zeros(len(message), dtype=np.int64)
    known = (before >= 0) & (message[last] == message)
    inherited = known & (starts[last] > ends[last])
    result: Array = np.where(starts == ends, inherited, ends > starts)
    return result


def _rounds(moment: Array, kind: Array, under_way: Array) -> Array:
    """A number that grows along the attempts of a moment: n-th start, n-th end, n-th retry, and the rest last."""
    run = _numbered(moment, kind) if len(moment) else moment
    nth = np.arange(len(run)) - np.searchsorted(run, run)
    rounds = np.full(len(moment), _LATER)
    rounds[kind == Kind.CREATED] = -1
    start, end = kind == Kind.ACTIVE, (kind == Kind.ERROR) | (kind == Kind.RETRY)
    rounds[start] = 2 * (nth[start] + under_way[moment[start]])
    rounds[end] = 2 * nth[end] + 1
    return rounds
