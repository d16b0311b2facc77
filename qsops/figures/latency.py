"""Delivery latency over time."""

from __future__ import annotations

import altair
import pandas as pd

from qsops.figures.renderer import BLUE, GREY, ORANGE, themed
from qsops.figures.times import iso, time_of

__all__ = ["latency"]

_SERIES = {"p50_s": ("median", BLUE), "p90_s": ("90th percentile", ORANGE), "max_s": ("slowest", GREY)}
_SECONDS = altair.Axis(labelExpr="format(datum.value, datum.value < 1 ? '~g' : ',d')", tickCount=5)


def latency(frame: pd.DataFrame) -> altair.Chart:
    """The time to deliver by time of creation, from the frame of :func:`qsops.analysis.latency`.

    Seconds on a logarithmic axis, since retries stretch over five orders of magnitude; 1 ms stands for anything less.
    """
    long = frame.melt("created_at", list(_SERIES), "series", "seconds")
    long["series"] = long["series"].map({name: label for name, (label, _) in _SERIES.items()})
    long["seconds"] = long["seconds"].clip(lower=0.001)
    long["created_at"] = iso(long["created_at"])
    labels, colours = zip(*_SERIES.values(), strict=True)
    chart: altair.Chart = (
        altair.Chart(
            long, title=altair.Title("Time to deliver", subtitle="by time of creation, UTC; delivered messages")
        )
        .mark_line(point=altair.OverlayMarkDef(size=40), strokeWidth=2, strokeJoin="round")
        .encode(
            x=time_of("created_at", "created at (UTC)", frame["created_at"]),
            y=altair.Y("seconds:Q", title="time to deliver (s)", scale=altair.Scale(type="log"), axis=_SECONDS),
            color=altair.Color("series:N", scale=altair.Scale(domain=list(labels), range=list(colours))),
            tooltip=["created_at:T", "series:N", altair.Tooltip("seconds:Q", format=",.3~f")],
        )
    )
    return themed(chart)
