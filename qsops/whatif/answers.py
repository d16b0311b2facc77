"""How long answers took, and what failures looked like, near a moment of the record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import numpy as np

from qsops.whatif.columns import Array
from qsops.whatif.record import Kind, Record

__all__ = ["Answers", "Failures"]

#: An attempt that is made up is like one of so many recorded ones on either side of it.
_NEAR: Final = 8
#: What lies between seen durations is possible too: each is spread by this part of how much neighbours differ.
_SPREAD: Final = 0.5
_UNKNOWN_MS: Final = 1_000.0
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX: Final = np.uint64(0xBF58476D1CE4E5B9)


class Failures(NamedTuple):
    """Per failure how long it took, whether it hung until it was cut off, and the wait it asked for (NaN: none)."""

    duration_ms: Array
    hung: Array
    asked_ms: Array


class _Timed(NamedTuple):
    """Values by the times they were seen at."""

    at_ms: Array
    values: Array

    def near(self, draw: Array, at_ms: Array, chance: Array) -> Array:
        """The place of one that was seen about each moment; fewer are near at the ends of the record.

        In each draw the ones seen are a sample with repetitions of those around (a bootstrap): what else might have
        been seen is as uncertain as a few values leave it.
        """
        count = len(self.at_ms)
        right = np.searchsorted(self.at_ms, at_ms)
        low = np.clip(right - _NEAR, 0, max(0, count - 2 * _NEAR))
        width = min(2 * _NEAR, count)
        seen = low + (chance * width).astype(np.int64)
        block = seen // width * width
        return np.minimum(block + _hashed(draw, seen, width), count - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Successes, failures, and the waits that failing answers asked for, of one destination."""

    good_ms: _Timed
    bad_ms: _Timed
    hung: Array
    asked_ms: _Timed

    @classmethod
    def of(cls, record: Record) -> Self:
        """Those of ``record``."""
        order = np.argsort(record.started_ms, kind="stable")
        kind, started = record.kind[order], record.started_ms[order]
        took = record.duration_ms[order].astype(float)
        good = kind == Kind.OK
        bad = (kind == Kind.DOWN) | (kind == Kind.HANG)
        told = record.answered[order] & record.waits[order] & (kind == Kind.DOWN)
        return cls(
            _Timed(started[good], took[good]),
            _Timed(started[bad], took[bad]),
            kind[bad] == Kind.HANG,
            _Timed(started[told], record.asked_ms[order][told]),
        )

    def successes(self, draw: Array, at_ms: Array, chance: Array) -> Array:
        """How long a success in each draw at each time takes, in milliseconds; ``chance`` from [0, 1) picks one."""
        if not len(self.good_ms.at_ms):
            return np.full(len(at_ms), _UNKNOWN_MS)
        return _spread(self.good_ms.values, self.good_ms.near(draw, at_ms, chance), chance)

    def failures(self, draw: Array, at_ms: Array, chance: Array) -> Failures:
        """What a failure in each draw at each time is like."""
        if not len(self.bad_ms.at_ms):
            nothing = np.zeros(len(at_ms), dtype=bool)
            return Failures(self.successes(draw, at_ms, chance), nothing, np.full(len(at_ms), np.nan))
        picked = self.bad_ms.near(draw, at_ms, chance)
        hung = self.hung[picked]
        asked = np.where(hung, np.nan, self.asked(draw, at_ms, chance))
        took = np.where(hung, self.bad_ms.values[picked], _spread(self.bad_ms.values, picked, chance, ~self.hung))
        return Failures(took, hung, asked)

    def asked(self, draw: Array, at_ms: Array, chance: Array) -> Array:
        """The wait that a failing answer asks for in each draw at each time, NaN for none."""
        if not len(self.asked_ms.at_ms):
            return np.full(len(at_ms), np.nan)
        found: Array = self.asked_ms.values[self.asked_ms.near(draw, at_ms, chance)]
        return found


def _spread(took_ms: Array, picked: Array, chance: Array, which: Array | None = None) -> Array:
    """``took_ms[picked]``, each a little longer or shorter; ``which`` of them tell how much they differ."""
    logs = np.log(np.maximum(took_ms if which is None else took_ms[which], 1.0))
    if len(logs) < 2:
        return took_ms[picked]
    # By neighbours, and by the median of them: that it is slow at other times says nothing about now.
    width = _SPREAD * float(np.median(np.abs(np.diff(logs)))) / 0.954
    # A second number from the same chance: the digits that did not pick.
    normal = _normal(chance * 2**20 % 1)
    found: Array = took_ms[picked] * np.exp(width * normal)
    return found


def _normal(share: Array) -> Array:
    """A normal deviate of each number from (0, 1), to three digits (the logistic approximation of Tocher)."""
    inside = np.clip(share, 1e-6, 1 - 1e-6)
    found: Array = np.log(inside / (1 - inside)) / 1.702
    return found


def _hashed(draw: Array, place: Array, width: int) -> Array:
    """From 0 to ``width - 1``, the same for the same draw and place."""
    key = (draw.astype(np.uint64) << np.uint64(40)) ^ place.astype(np.uint64)
    key = (key + np.uint64(1)) * _GOLDEN
    key ^= key >> np.uint64(31)
    key *= _MIX
    key ^= key >> np.uint64(29)
    found: Array = (key % np.uint64(width)).astype(np.int64)
    return found
