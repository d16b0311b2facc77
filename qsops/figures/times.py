"""The axis of time that all figures share."""

from __future__ import annotations

from typing import Any, Final

import altair
import pandas as pd

__all__ = ["TIME_FORM", "iso", "time_axis", "time_of"]

#: How a time goes into a spec: to the second, in UTC.
TIME_FORM: Final = "%Y-%m-%dT%H:%M:%SZ"
_FEW: Final = pd.Timedelta(seconds=6)
_SHORT: Final = pd.Timedelta(minutes=10)
_LONG: Final = pd.Timedelta(days=6)


def iso(times: pd.Series) -> pd.Series:
    """``times`` as text that a spec holds, and that is the same on every machine."""
    texts: pd.Series = times.dt.strftime(TIME_FORM)
    return texts


def time_of(field: str, title: str, times: pd.Series) -> altair.X:
    """The channel for ``field``, in UTC, with ticks that suit the span of ``times``."""
    return altair.X(f"{field}:T", title=title, scale=altair.Scale(type="utc"), axis=time_axis(times))


def time_axis(times: pd.Series) -> altair.Axis:
    """Ticks that differ from each other: seconds over minutes, the day over hours, no hours over weeks."""
    span = times.max() - times.min()
    form = "%H:%M:%S" if span < _SHORT else "%d %b" if span > _LONG else "%d %b %H:%M"
    # Left to itself, an axis of a few seconds has ticks between them, with the labels of their seconds.
    ticks: dict[str, Any] = {"values": iso(_seconds(times)).tolist()} if span < _FEW else {"tickCount": 6}
    return altair.Axis(format=form, labelAngle=0, labelOverlap=True, labelFlush=False, grid=False, **ticks)


def _seconds(times: pd.Series) -> pd.Series:
    return pd.Series(pd.date_range(times.min().floor("s"), times.max(), freq="s"))
