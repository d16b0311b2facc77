"""What was on its way, over time."""

from __future__ import annotations

from typing import Final

import altair
import pandas as pd

from qsops.figures.counts import count_axis
from qsops.figures.renderer import BLUE, GOLD, themed
from qsops.figures.times import iso, time_of

__all__ = ["MOMENTS_LIMIT", "backlog"]

#: Of more moments neighbours are drawn as one, by the highest of them: a peak is what is looked for.
MOMENTS_LIMIT: Final = 400
_SERIES: Final = {"waiting": GOLD, "in_flight": BLUE}
_NAMES: Final = {"waiting": "waiting", "in_flight": "in flight"}


def backlog(frame: pd.DataFrame) -> altair.Chart:
    """Messages in flight and waiting over time, from the frame of :func:`qsops.analysis.backlog`."""
    each = -(-len(frame) // MOMENTS_LIMIT) or 1
    piece = pd.Series(range(len(frame)), index=frame.index) // each
    peaks = frame.groupby(piece.to_numpy()).agg({"at": "first", "waiting": "max", "in_flight": "max"})
    long = peaks.melt("at", list(_SERIES), "part", "messages")
    long = long.assign(
        messages=long["messages"].astype(int),
        part=long["part"].map(_NAMES),
        order=(long["part"] == "waiting").astype(int),
        at=iso(long["at"]),
    )
    domain, colours = list(_NAMES.values()), list(_SERIES.values())
    tops = peaks["waiting"] + peaks["in_flight"]
    title = altair.Title("Backlog", subtitle="messages that were accepted and not finished, UTC")
    chart: altair.Chart = (
        altair.Chart(long, title=title)
        .mark_area(interpolate="step-after", opacity=0.9)
        .encode(
            x=time_of("at", "time (UTC)", frame["at"]),
            y=altair.Y("messages:Q", title="messages", stack=True, axis=count_axis(tops, form="~s", ticks=5)),
            color=altair.Color("part:N", scale=altair.Scale(domain=domain, range=colours)),
            order="order:Q",
            tooltip=["at:T", "part:N", "messages:Q"],
        )
    )
    return themed(chart)
