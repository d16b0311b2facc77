"""The interval that a result stands for: nine draws in ten lie in it."""

from __future__ import annotations

from typing import Final

import numpy as np

from qsops.whatif.columns import Array

__all__ = ["LEVEL", "interval"]

LEVEL: Final = 0.9


def interval(values: Array) -> tuple[float, float, float]:
    """Its lower end, the median and its upper end, each a value that was drawn; NaN where nothing was.

    Draws without a value (NaN) are left out.
    """
    there = values[~np.isnan(values)]
    if not len(there):
        return (np.nan, np.nan, np.nan)
    tail = (1 - LEVEL) / 2
    low = np.quantile(there, tail, method="lower")
    high = np.quantile(there, 1 - tail, method="higher")
    return float(low), float(np.quantile(there, 0.5, method="lower")), float(high)
