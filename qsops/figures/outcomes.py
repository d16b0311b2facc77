"""How messages ended: by destination, label or queue, or over time."""

from __future__ import annotations

from typing import Final

import altair
import pandas as pd

from qsops.figures.counts import count_axis
from qsops.figures.renderer import BLUE, GREY, ORANGE, PALE, themed
from qsops.figures.times import iso, time_of

__all__ = ["ROWS_LIMIT", "outcomes"]

#: How many values of the key are drawn: those with the most messages.
ROWS_LIMIT: Final = 15
_BARS_PX: Final = 440
_STEP_PX: Final = 34
#: Between a bar over time and the next one is a gap; the width of the only bar there is says nothing.
_FILLED: Final = 0.9
_ONLY_WIDTH: Final = pd.Timedelta(hours=1)
_SERIES: Final = (("delivered", BLUE), ("failed", ORANGE), ("canceled", GREY), ("on its way", PALE))
#: By the state of a message or the outcome of an attempt; any other is on its way.
_ENDED: Final = {
    "DELIVERED": "delivered",
    "FAILED": "failed",
    "CANCELED": "canceled",
    "delivered": "delivered",
    "failed": "failed",
    "error": "failed",
    "canceled": "canceled",
}
_COLOUR: Final = altair.Color(
    "outcome:N", scale=altair.Scale(domain=[name for name, _ in _SERIES], range=[colour for _, colour in _SERIES])
)


def outcomes(frame: pd.DataFrame) -> altair.Chart:
    """Messages by how they ended, from the frame of :func:`qsops.analysis.outcomes`, or attempts.

    A time among its columns gives bars over time; else there is one bar, or one for each value of its key, of which the
    :data:`ROWS_LIMIT` with the most are drawn.
    """
    kind, unit = ("state", "messages") if "state" in frame else ("outcome", "attempts")
    key = next((str(name) for name in frame.columns if name not in (kind, unit, "share_pct")), None)
    ended = frame[kind].map(lambda state: _ENDED.get(state, "on its way"))
    counts = frame.drop(columns=kind).assign(outcome=ended).rename(columns={unit: "messages"})
    return _drawn(counts, key, unit)


def _drawn(counts: pd.DataFrame, key: str | None, unit: str) -> altair.Chart:
    if key is not None and isinstance(counts[key].dtype, pd.DatetimeTZDtype):
        return _over_time(counts, key, unit)
    row = f"all {unit}" if key is None else counts[key].astype("str").fillna("none")
    return _bars(counts.assign(row=row), key, unit)


def _bars(counts: pd.DataFrame, key: str | None, unit: str) -> altair.Chart:
    long = counts.groupby(["row", "outcome"], sort=True)["messages"].sum().reset_index()
    totals = long.groupby("row")["messages"].sum().sort_values(ascending=False, kind="stable").head(ROWS_LIMIT)
    rows = totals.index.tolist()
    long = _ordered(long[long["row"].isin(rows)])
    axis = altair.Axis(labelLimit=330, domain=False, ticks=False, labelPadding=8)
    chart: altair.Chart = (
        altair.Chart(long, title=_title(unit, "" if key is None else f", by {key}"))
        .mark_bar(height=18)
        .encode(
            color=_COLOUR,
            order="order:Q",
            y=altair.Y("row:N", title=None, sort=rows, axis=axis),
            x=altair.X("messages:Q", title=unit, stack=True, axis=count_axis(totals)),
            tooltip=["row:N", "outcome:N", "messages:Q"],
        )
    )
    return themed(chart, width=_BARS_PX, height=max(1, len(rows)) * _STEP_PX)


def _over_time(counts: pd.DataFrame, key: str, unit: str) -> altair.Chart:
    long = _ordered(counts.groupby([key, "outcome"], sort=True)["messages"].sum().reset_index())
    times = long[key]
    widths = times.drop_duplicates().sort_values().diff()
    ends = times + (widths.min() if widths.notna().any() else _ONLY_WIDTH) * _FILLED
    top = long.groupby(key)["messages"].cumsum()
    data = long.assign(**{key: iso(times), "until": iso(ends), "top": top, "bottom": top - long["messages"]})
    # Not bars: they would be taken for ones that lie, since they have two ends along the axis of time.
    chart: altair.Chart = (
        altair.Chart(data, title=_title(unit, ", over time, UTC"))
        .mark_rect()
        .encode(
            x=time_of(key, f"{key.replace('_', ' ')} (UTC)", times),
            x2="until:T",
            y=altair.Y("top:Q", title=unit, axis=count_axis(top)),
            y2="bottom:Q",
            color=_COLOUR,
            tooltip=[f"{key}:T", "outcome:N", "messages:Q"],
        )
    )
    return themed(chart)


def _title(unit: str, by: str) -> altair.Title:
    return altair.Title("Outcomes", subtitle=f"{unit} by how they ended{by}")


def _ordered(long: pd.DataFrame) -> pd.DataFrame:
    names = [name for name, _ in _SERIES]
    long = long.assign(messages=long["messages"].astype(int), order=long["outcome"].map(names.index).astype(int))
    return long.sort_values([long.columns[0], "order"], kind="stable", ignore_index=True)
