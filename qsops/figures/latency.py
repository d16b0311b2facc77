"""Delivery latency over time, or by destination, label or queue."""

from __future__ import annotations

from typing import Final

import altair
import pandas as pd

from qsops.figures.renderer import BLUE, GREY, ORANGE, themed
from qsops.figures.times import iso, time_of

__all__ = ["latency"]

_SERIES = {"p50_s": ("median", BLUE), "p90_s": ("90th percentile", ORANGE), "max_s": ("slowest", GREY)}
#: What is measured, by the column of its time.
_MEASURED: Final = {
    "created_at": ("Time to deliver", "time to deliver (s)", "delivered messages", "creation"),
    "started_at": ("Duration of attempts", "duration (s)", "attempts that ended", "start"),
}
#: How many values of a key are drawn: those with the most messages.
_ROWS_LIMIT: Final = 15
_BARS_PX: Final = 440
_STEP_PX: Final = 34
_SIZES: Final = (40, 110, 200)
_LABELS = "format(datum.value, datum.value < 1 ? '~g' : ',d')"
_SECONDS = altair.Axis(labelExpr=_LABELS, tickCount=5)
_SIDE_BY_SIDE = altair.Axis(labelExpr=_LABELS, tickCount=5, labelSeparation=8)


def latency(frame: pd.DataFrame) -> altair.Chart:
    """The time to deliver by time of creation, from the frame of :func:`qsops.analysis.latency`, or of attempts.

    Without a time among its columns there is a row of points for each value of its key; one by both has to be parted
    into its values before. Seconds on a logarithmic axis, since retries stretch over five orders of magnitude; 1 ms
    stands for anything less.
    """
    time = next((name for name in _MEASURED if name in frame), None)
    return _by_key(frame) if time is None else _over_time(frame, time)


def _melted(frame: pd.DataFrame, key: str) -> pd.DataFrame:
    long = frame.melt(key, list(_SERIES), "series", "seconds")
    long["series"] = long["series"].map({name: label for name, (label, _) in _SERIES.items()})
    long["seconds"] = long["seconds"].clip(lower=0.001)
    return long


def _over_time(frame: pd.DataFrame, time: str) -> altair.Chart:
    title, axis, rows, moment = _MEASURED[time]
    long = _melted(frame, time)
    long[time] = iso(long[time])
    labels, colours = zip(*_SERIES.values(), strict=True)
    chart: altair.Chart = (
        altair.Chart(long, title=altair.Title(title, subtitle=f"by time of {moment}, UTC; {rows}"))
        .mark_line(point=altair.OverlayMarkDef(size=40), strokeWidth=2, strokeJoin="round")
        .encode(
            x=time_of(time, f"{time.replace('_', ' ')} (UTC)", frame[time]),
            y=altair.Y("seconds:Q", title=axis, scale=altair.Scale(type="log"), axis=_SECONDS),
            color=altair.Color("series:N", scale=altair.Scale(domain=list(labels), range=list(colours))),
            tooltip=[f"{time}:T", "series:N", altair.Tooltip("seconds:Q", format=",.3~f")],
        )
    )
    return themed(chart)


def _by_key(frame: pd.DataFrame) -> altair.Chart:
    measured = "created_at" if "messages" in frame else "started_at"
    title, axis, rows, _ = _MEASURED[measured]
    unit, key = "messages" if "messages" in frame else "attempts", str(frame.columns[0])
    shown = frame.sort_values(unit, ascending=False, kind="stable").head(_ROWS_LIMIT)
    shown = shown.assign(row=shown[key].astype("str").fillna("none"))
    # The largest point is drawn first: where percentiles are equal, the smaller ones lie within it.
    long = _melted(shown, "row").iloc[::-1]
    labels, colours = zip(*_SERIES.values(), strict=True)
    size = altair.Size("series:N", scale=altair.Scale(domain=list(labels), range=list(_SIZES)))
    names = altair.Axis(labelLimit=330, domain=False, ticks=False, labelPadding=8, grid=True)
    chart: altair.Chart = (
        altair.Chart(long, title=altair.Title(title, subtitle=f"by {key}; {rows}"))
        .mark_point(filled=True, opacity=1)
        .encode(
            size=size,
            y=altair.Y("row:N", title=None, sort=shown["row"].tolist(), axis=names),
            x=altair.X("seconds:Q", title=axis, scale=altair.Scale(type="log"), axis=_SIDE_BY_SIDE),
            color=altair.Color("series:N", scale=altair.Scale(domain=list(labels), range=list(colours))),
            tooltip=["row:N", "series:N", altair.Tooltip("seconds:Q", format=",.3~f")],
        )
    )
    return themed(chart, width=_BARS_PX, height=max(1, len(shown)) * _STEP_PX)
