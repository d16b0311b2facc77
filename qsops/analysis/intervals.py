"""How far a number may lie from the truth, where messages that are near in time share their fate.

All of it works on counts by stretches of time, never on messages: an outage fails a thousand of them at once, which
is one piece of evidence and not a thousand.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["CONFIDENCE", "DRAWS", "design_effect", "ends", "newcombe", "quantiles", "weights", "wilson"]

Array = npt.NDArray[Any]

CONFIDENCE: Final = 0.95
#: So many bootstrap samples: the ends of an interval differ by a few per cent of its width from one seed to another.
DRAWS: Final = 1_000
_Z: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def wilson(hits: float, of: float) -> tuple[float, float]:
    """Wilson's score interval of a share; ``of`` may be an effective size, and be no whole number."""
    share, square = hits / of, _Z**2 / of
    middle = (share + square / 2) / (1 + square)
    margin = _Z / (1 + square) * math.sqrt(share * (1 - share) / of + square / (4 * of))
    return max(0.0, middle - margin), min(1.0, middle + margin)


def newcombe(before: tuple[float, float, float], after: tuple[float, float, float]) -> tuple[float, float]:
    """The interval of a difference of two shares, each with its Wilson interval (share, low, high).

    Newcombe, "Interval estimation for the difference between independent proportions", 1998, method 10.
    """
    (p, p_low, p_high), (q, q_low, q_high) = before, after
    return q - p - math.hypot(q - q_low, p_high - p), q - p + math.hypot(q_high - q, p - p_low)


def design_effect(hits: Array, of: Array) -> float:
    """How many times as uncertain a share is as it were if messages were independent; at least 1.

    ``hits`` and ``of`` are counts by stretches of time; the variance is that of a ratio of their sums (Rao and Scott,
    "A simple method for the analysis of clustered binary data", 1992).
    """
    whole, stretches = of.sum(), len(of)
    share = hits.sum() / whole
    if stretches < 2 or share in (0, 1):
        return 1.0
    variance = stretches / (stretches - 1) * ((hits - share * of) ** 2).sum() / whole**2
    return max(1.0, float(variance * whole / (share * (1 - share))))


def weights(stretches: int, rng: np.random.Generator) -> Array:
    """How often each stretch of time is in each of :data:`DRAWS` bootstrap samples: a row a sample."""
    return rng.multinomial(stretches, np.full(stretches, 1 / stretches), DRAWS).astype(np.float64)


def quantiles(values: Array, counts: Array, shares: Array) -> Array:
    """The quantiles ``shares`` of ``values`` (ascending), each there ``counts`` times; a row for each row of counts.

    The smallest value that at least the share does not exceed; where a row counts nothing it is NaN.
    """
    below = np.cumsum(np.atleast_2d(counts), axis=1)
    whole = below[:, -1:]
    found = np.stack([(below < share * whole).sum(axis=1) for share in shares], axis=1)
    return np.where(whole > 0, values[np.minimum(found, len(values) - 1)], np.nan)


def ends(draws: Array) -> tuple[float, float]:
    """The ends of the percentile interval of bootstrap samples; those that gave no number are left out."""
    tail = (1 - CONFIDENCE) / 2
    told = draws[np.isfinite(draws)]
    low, high = np.quantile(told, [tail, 1 - tail]) if len(told) else (math.nan, math.nan)
    return float(low), float(high)
