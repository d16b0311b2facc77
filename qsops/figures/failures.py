"""Failures by destination and answer, and what later attempts made good."""

from __future__ import annotations

from typing import Final

import altair
import pandas as pd

from qsops.figures.counts import count_axis
from qsops.figures.renderer import BLUE, ORANGE, themed

__all__ = ["ROWS_LIMIT", "bars_by_row", "failures"]

#: How many rows are drawn, the first ones: they are the most frequent.
ROWS_LIMIT: Final = 15
# The destinations' names take what is left of the width that all figures have.
_BARS_PX: Final = 440
_STEP_PX: Final = 34
_SERIES: Final = {"delivered later": BLUE, "not delivered": ORANGE}


def failures(frame: pd.DataFrame) -> altair.Chart:
    """Messages that failed at least once, from the frame of :func:`qsops.analysis.failures`.

    One bar for each destination and status, the longest first, at most :data:`ROWS_LIMIT`. The error's text stays in
    the frame: a message counts once for each error that it met, be it in one bar or in two.
    """
    answered = frame["response_status"].notna() & (frame["response_status"] != 0).fillna(False)
    status = frame["response_status"].astype("str").where(answered, "no answer")
    rows = frame["url"].astype("str").fillna("none") + "  ·  " + status
    counts = frame.groupby(rows.rename("row"), sort=False)[["messages", "recovered"]].sum().reset_index()
    counts = counts.sort_values("messages", ascending=False, kind="stable", ignore_index=True)
    return bars_by_row(
        counts, counts["row"], "Failures", "messages with at least one failed attempt, by destination and answer"
    )


def bars_by_row(frame: pd.DataFrame, rows: pd.Series, title: str, subtitle: str) -> altair.Chart:
    """The columns ``messages`` and ``recovered`` as bars, named by ``rows``, of which no two are equal."""
    shown = frame.head(ROWS_LIMIT)
    long = _bars(shown, rows.head(ROWS_LIMIT))
    names = list(dict.fromkeys(long["row"]))
    axis = altair.Axis(labelLimit=330, domain=False, ticks=False, labelPadding=8)
    chart: altair.Chart = (
        altair.Chart(long, title=altair.Title(title, subtitle=subtitle))
        .mark_bar(height=18)
        .encode(
            y=altair.Y("row:N", title=None, sort=names, axis=axis),
            x=altair.X("messages:Q", title="messages", stack=True, axis=count_axis(shown["messages"])),
            color=altair.Color("outcome:N", scale=altair.Scale(domain=list(_SERIES), range=list(_SERIES.values()))),
            order="order:Q",
            tooltip=["row:N", "outcome:N", "messages:Q"],
        )
    )
    return themed(chart, width=_BARS_PX, height=max(1, len(names)) * _STEP_PX)


def _bars(frame: pd.DataFrame, rows: pd.Series) -> pd.DataFrame:
    wide = pd.DataFrame(
        {
            "row": rows,
            "delivered later": frame["recovered"].astype(int),
            "not delivered": (frame["messages"] - frame["recovered"]).astype(int),
        }
    )
    long = wide.melt("row", list(_SERIES), "outcome", "messages")
    return long.assign(order=(long["outcome"] == "not delivered").astype(int))
