"""Delivery latency over time."""

from __future__ import annotations

import altair
import pandas as pd

from qsops.figures.renderer import BLUE, GREY, ORANGE, themed

__all__ = ["latency"]

_SERIES = {"p50_s": ("median", BLUE), "p90_s": ("90th percentile", ORANGE), "max_s": ("slowest", GREY)}
_SHORT = pd.Timedelta(minutes=10)
_SECONDS = altair.Axis(labelExpr="format(datum.value, datum.value < 1 ? '~g' : ',d')", tickCount=5)


def latency(frame: pd.DataFrame) -> altair.Chart:
    """The time to deliver by time of creation, from the frame of :func:`qsops.analysis.latency`.

    Seconds on a logarithmic axis, since retries stretch over five orders of magnitude; 1 ms stands for anything less.
    """
    long = frame.melt("created_at", list(_SERIES), "series", "seconds")
    long["series"] = long["series"].map({name: label for name, (label, _) in _SERIES.items()})
    long["seconds"] = long["seconds"].clip(lower=0.001)
    long["created_at"] = long["created_at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    labels, colours = zip(*_SERIES.values(), strict=True)
    chart: altair.Chart = (
        altair.Chart(
            long, title=altair.Title("Time to deliver", subtitle="by time of creation, UTC; delivered messages")
        )
        .mark_line(point=altair.OverlayMarkDef(size=40), strokeWidth=2, strokeJoin="round")
        .encode(
            x=altair.X(
                "created_at:T", title="created at (UTC)", scale=altair.Scale(type="utc"), axis=_time_axis(frame)
            ),
            y=altair.Y("seconds:Q", title="time to deliver (s)", scale=altair.Scale(type="log"), axis=_SECONDS),
            color=altair.Color("series:N", scale=altair.Scale(domain=list(labels), range=list(colours))),
            tooltip=["created_at:T", "series:N", altair.Tooltip("seconds:Q", format=",.3~f")],
        )
    )
    return themed(chart)


def _time_axis(frame: pd.DataFrame) -> altair.Axis:
    """Ticks that differ from each other: with seconds over minutes, with the day over hours."""
    span = frame["created_at"].max() - frame["created_at"].min()
    form = "%H:%M:%S" if span < _SHORT else "%d %b %H:%M"
    return altair.Axis(format=form, tickCount=6, labelAngle=0, labelOverlap=True, labelFlush=False, grid=False)
