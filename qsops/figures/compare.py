"""What changed, measure by measure, and what of it may be chance."""

from __future__ import annotations

from typing import Any, Final

import altair
import pandas as pd

from qsops.figures.renderer import BLUE, GREY, ORANGE, PALE, themed

__all__ = ["compare"]

_WIDTH_PX: Final = 400
_ROW_PX: Final = 44
_TITLES: Final = {
    "first_try_pct": "delivered at first try (%)",
    "delivered_pct": "delivered (%)",
    "attempts_per_message": "attempts a message",
    "time_to_deliver_p50_s": "median time to deliver (s)",
    "time_to_deliver_p90_s": "90th percentile of it (s)",
    "time_to_deliver_p99_s": "99th percentile of it (s)",
}
_COLOURS: Final = {"before": PALE, "better": BLUE, "worse": ORANGE, "unclear": GREY}
_SIDES: Final = ("before", "after")


def compare(frame: pd.DataFrame, measure: str = "first_try_pct") -> altair.FacetChart:
    """Before and after with their 95 % intervals, from the frame of :func:`qsops.analysis.compare`.

    A panel for each measure, on a scale of its own; where the frame is by a key, one for each of its values, of
    ``measure`` alone. The colour of what came after is the verdict: better, worse, or unclear.
    """
    key = next((str(name) for name in frame.columns[:1] if name != "measure"), None)
    shown = frame if key is None else frame[frame["measure"] == measure]
    names = shown["measure"].map(_TITLES) if key is None else shown[key].astype("str").fillna("none")
    rows = [
        _point(row, name, side) for row, name in zip(shown.to_dict("records"), names, strict=True) for side in _SIDES
    ]
    data = pd.DataFrame(rows, columns=["panel", "side", "value", "low", "high", "verdict"])
    subtitle = "with 95 % intervals; coloured where the difference is more than chance"
    title = altair.Title("Before and after", subtitle=subtitle if key is None else f"{_TITLES[measure]}, {subtitle}")
    colour = altair.Color("verdict:N", scale=altair.Scale(domain=list(_COLOURS), range=list(_COLOURS.values())))
    y = altair.Y("side:N", title=None, sort=list(_SIDES), axis=altair.Axis(domain=False, ticks=False, labels=False))
    scale = altair.Scale(zero=False, nice=True)
    x = altair.X("value:Q", title=None, scale=scale, axis=altair.Axis(tickCount=4, format=",.3~f"))
    base = altair.Chart().encode(y=y, color=colour)
    lines = base.mark_rule(strokeWidth=3, opacity=0.6).encode(x=altair.X("low:Q", title=None, scale=scale), x2="high:Q")
    points = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=x, tooltip=["panel:N", "side:N", "value:Q", "low:Q", "high:Q", "verdict:N"]
    )
    layers = altair.LayerChart(layer=[lines, points]).properties(width=_WIDTH_PX, height=_ROW_PX)
    header = altair.Header(labelAngle=0, labelAlign="left", labelFontSize=12, labelLimit=260, title=None)
    panels = list(dict.fromkeys(data["panel"]))
    facets: altair.FacetChart = layers.facet(
        row=altair.Row("panel:N", sort=panels, header=header), data=data, title=title, spacing=6
    ).resolve_scale(x="independent")
    return themed(facets, width=None, height=None)


def _point(row: dict[Any, Any], panel: str, side: str) -> dict[str, Any]:
    value, low, high = (_number(row[name]) for name in (side, f"{side}_low", f"{side}_high"))
    verdict = row["verdict"] if row["verdict"] in _COLOURS else "unclear"
    return {
        "panel": panel,
        "side": side,
        "value": value,
        "low": value if low is None else low,
        "high": value if high is None else high,
        "verdict": "before" if side == "before" else verdict,
    }


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
