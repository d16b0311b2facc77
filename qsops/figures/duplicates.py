"""Where messages were delivered more than once."""

from __future__ import annotations

from typing import Final

import altair
import pandas as pd

from qsops.figures.counts import count_axis
from qsops.figures.renderer import BLUE, GOLD, ORANGE, themed

__all__ = ["ROWS_LIMIT", "duplicates"]

#: How many destinations are drawn: those with the most such messages.
ROWS_LIMIT: Final = 15
_BARS_PX: Final = 440
_STEP_PX: Final = 34
_SERIES: Final = {"twice": BLUE, "three times": GOLD, "more often": ORANGE}


def duplicates(frame: pd.DataFrame) -> altair.Chart:
    """Messages by destination and number of deliveries, from the frame of :func:`qsops.analysis.duplicates`."""
    names = list(_SERIES)
    often = (frame["deliveries"].astype(int) - 2).clip(0, len(names) - 1)
    counts = (
        frame.assign(row=frame["url"].astype("str").fillna("none"), order=often)
        .groupby(["row", "order"], sort=True)
        .size()
    )
    long = counts.rename("messages").reset_index()
    long = long.assign(delivered=[names[at] for at in long["order"]])
    totals = long.groupby("row")["messages"].sum().sort_values(ascending=False, kind="stable").head(ROWS_LIMIT)
    rows = totals.index.tolist()
    axis = altair.Axis(labelLimit=330, domain=False, ticks=False, labelPadding=8)
    title = altair.Title("Duplicates", subtitle="messages that were delivered more than once, by destination")
    chart: altair.Chart = (
        altair.Chart(long[long["row"].isin(rows)], title=title)
        .mark_bar(height=18)
        .encode(
            y=altair.Y("row:N", title=None, sort=rows, axis=axis),
            x=altair.X("messages:Q", title="messages", stack=True, axis=count_axis(totals)),
            color=altair.Color("delivered:N", scale=altair.Scale(domain=names, range=list(_SERIES.values()))),
            order="order:Q",
            tooltip=["row:N", "delivered:N", "messages:Q"],
        )
    )
    return themed(chart, width=_BARS_PX, height=max(1, len(rows)) * _STEP_PX)
