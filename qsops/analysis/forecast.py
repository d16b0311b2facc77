"""What the next days bring, from counts of the days before: a mean for each weekday, and an interval around the sum."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST_DAYS", "Forecast", "forecast"]

#: With fewer days nothing is said of how far they lie apart.
LEAST_DAYS: Final = 3
#: From so many days on each weekday has a mean of its own.
_LEAST_WEEKS_DAYS: Final = 14
_WEEK: Final = 7
_CONFIDENCE: Final = 0.9


@dataclass(frozen=True, slots=True)
class Forecast:
    """A sum that is expected, and the ends of its 90 % interval; each None where too few days were seen for it."""

    expected: float | None
    low: float | None
    high: float | None


def forecast(counts: npt.NDArray[Any], ahead: int) -> Forecast:
    """The sum over the ``ahead`` days that follow the consecutive days of ``counts``.

    Days are taken for independent draws around their mean, from two weeks on around that of their weekday; the interval
    is Student's, for the sum of new days and the error of the means together.

    Limits: it knows neither growth nor holidays, and of a day that is unlike all days before nothing at all.
    """
    if not len(counts):
        return Forecast(None, None, None)
    days = np.arange(len(counts) + ahead)
    group = days % _WEEK if len(counts) >= _LEAST_WEEKS_DAYS else np.zeros(len(days), dtype=np.int64)
    seen, coming = group[: len(counts)], group[len(counts) :]
    size, wanted = np.bincount(seen), np.bincount(coming, minlength=int(seen.max()) + 1)
    means = np.bincount(seen, weights=counts) / size
    expected = float((wanted * means).sum())
    freedom = len(counts) - len(size)
    if len(counts) < LEAST_DAYS:
        return Forecast(expected, None, None)
    spread = float(((counts - means[seen]) ** 2).sum()) / freedom
    error = float(np.sqrt(spread * (ahead + (wanted**2 / size).sum())))
    margin = _student((1 + _CONFIDENCE) / 2, freedom) * error
    return Forecast(expected, max(0.0, expected - margin), expected + margin)


def _student(share: float, freedom: int) -> float:
    """Student's quantile by the expansion of Abramowitz and Stegun, 26.7.5: within 0.3 % from two degrees on."""
    z = NormalDist().inv_cdf(share)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + float(sum(term / freedom ** (power + 1) for power, term in enumerate(terms)))
