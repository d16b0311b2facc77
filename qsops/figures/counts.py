"""The axis of counts that all figures share."""

from __future__ import annotations

from typing import Any, Final

import altair
import pandas as pd

__all__ = ["count_axis"]

_TICKS: Final = 6


def count_axis(tops: pd.Series, *, form: str = "d", ticks: int = _TICKS) -> altair.Axis:
    """Ticks at whole numbers only, for bars that end at ``tops``."""
    # The least step alone is not enough: of 0 to 1 the converter makes three ticks, two of them labelled 1.
    most: Any = tops.max()
    few = ticks if pd.isna(most) else max(1, min(ticks, int(most)))
    return altair.Axis(format=form, tickMinStep=1, tickCount=few)
