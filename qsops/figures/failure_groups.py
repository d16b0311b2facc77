"""Failures that are one, and what later attempts made good."""

from __future__ import annotations

import altair
import pandas as pd

from qsops.figures.failures import bars_by_row

__all__ = ["failure_groups"]

_LONGEST_TEXT = 60


def failure_groups(frame: pd.DataFrame) -> altair.Chart:
    """Messages by failure group, from the frame of :func:`qsops.analysis.failure_groups`, the largest groups.

    A message that failed in two ways stands in two bars. The group's fingerprint, which stands first, leads back to the
    frame.
    """
    status = frame["response_status"].fillna(0).astype(int)
    answer = status.astype("str").where(status != 0, "no answer")
    text = frame["error"].astype("str").fillna("").map(_short)
    rows = frame["group"].astype("str") + "  ·  " + answer + "  ·  " + text
    return bars_by_row(
        frame, rows, "Failure groups", "messages with at least one such attempt; numbers and ids left out"
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1].rstrip() + "…"
