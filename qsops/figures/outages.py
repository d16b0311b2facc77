"""When which destination did not work."""

from __future__ import annotations

from typing import Final

import altair
import pandas as pd

from qsops.figures.renderer import ORANGE, themed
from qsops.figures.times import iso, time_of

__all__ = ["ROWS_LIMIT", "outages"]

#: How many destinations are drawn: those with the most messages hit.
ROWS_LIMIT: Final = 15
_BARS_PX: Final = 480
_STEP_PX: Final = 40
# An outage of minutes within weeks is still to be seen.
_THINNEST_PX: Final = 4


def outages(frame: pd.DataFrame) -> altair.LayerChart:
    """Outages over time, a line a destination, from the frame of :func:`qsops.analysis.outages`.

    The darker a bar, the larger the share of attempts that failed within it; the figure above is how many messages it
    hit.
    """
    hit = frame.groupby("url")["messages"].sum().sort_values(ascending=False, kind="stable")
    shown = frame[frame["url"].isin(hit.index[:ROWS_LIMIT])]
    times = pd.concat([shown["began_at"], shown["ended_at"]])
    data = shown[["duration_s", "depth_pct", "messages", "recovered", "response_status"]].assign(
        destination=shown["url"],
        began_at=iso(shown["began_at"]),
        ended_at=iso(shown["ended_at"]),
        failed=shown["depth_pct"].astype(float) / 100,
    )
    title = altair.Title(
        "Outages", subtitle="stretches in which a destination failed, UTC; the figure is the number of messages hit"
    )
    axis = altair.Axis(labelLimit=330, domain=False, ticks=False, labelPadding=8, grid=True)
    y = altair.Y("destination:N", title=None, sort=hit.index[:ROWS_LIMIT].tolist(), axis=axis)
    base = altair.Chart(data).encode(x=time_of("began_at", "time (UTC)", times), y=y)
    bars = base.mark_bar(height=14, stroke=ORANGE, strokeWidth=_THINNEST_PX / 2, color=ORANGE).encode(
        x2="ended_at:T",
        fillOpacity=altair.Opacity("failed:Q", scale=altair.Scale(domain=[0, 1], range=[0.1, 1]), legend=None),
        tooltip=[
            *("destination:N", "began_at:T", "ended_at:T", "depth_pct:Q"),
            *("messages:Q", "recovered:Q", "response_status:N"),
        ],
    )
    labels = base.mark_text(align="left", dy=-14, fontSize=11, color="#333333").encode(text="messages:Q")
    layers: altair.LayerChart = altair.LayerChart(layer=[bars, labels], title=title)
    return themed(layers, width=_BARS_PX, height=max(1, shown["url"].nunique()) * _STEP_PX)
