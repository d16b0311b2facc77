"""The interval that a result stands for: nine draws in ten lie in it."""

from __future__ import annotations

from typing import Final

import numpy as np

from qsops.whatif.columns import Array

__all__ = ["LEAST_SHARE", "LEVEL", "interval"]

LEVEL: Final = 0.9
#: What fewer of the draws have is not told of all.
LEAST_SHARE: Final = 0.5


def interval(values: Array) -> tuple[float, float, float]:
    """Its lower end, the median and its upper end, each a value that was drawn; NaN where most draws have no value.

    As many draws lie below it as above it, but where many are equal, as counts are: then it holds no end that it can
    spare and still hold more than nine in ten. Draws without a value (NaN) are left out.
    """
    there = np.sort(values[~np.isnan(values)])
    if not len(there) or len(there) < LEAST_SHARE * len(values):
        return (np.nan, np.nan, np.nan)
    tail = (1 - LEVEL) / 2
    low, middle = (float(np.quantile(there, share, method="lower")) for share in (tail, 0.5))
    high = float(np.quantile(there, 1 - tail, method="higher"))
    inner = there[(there >= low) & (there <= high)]
    while inner[0] < inner[-1]:
        without = (inner[inner > inner[0]], inner[inner < inner[-1]])
        longer = max(without, key=len)
        if len(longer) <= LEVEL * len(there):
            break
        inner = longer
    return float(inner[0]), middle, float(inner[-1])
