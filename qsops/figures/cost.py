"""What a month costs on each plan, under both readings of what a retry costs."""

from __future__ import annotations

from typing import Any, Final

import altair
import pandas as pd

from qsops.figures.renderer import BLUE, PALE, SKY, themed
from qsops.plans import PLANS

__all__ = ["cost"]

_BARS_PX: Final = 400
_STEP_PX: Final = 30
_FITS: Final = {"retries are free": SKY, "each attempt is billed": BLUE, "would refuse messages": PALE}
# Below a thousand the amount itself: of an SI prefix, "50m" would be taken for fifty million.
_DOLLARS: Final = altair.Axis(labelExpr="format(datum.value, datum.value < 1000 ? '~f' : '~s')", tickCount=5)
_READINGS: Final = {"messages": "retries are free", "attempts": "each attempt is billed"}


def cost(frame: pd.DataFrame) -> altair.LayerChart:
    """The forecast of a month by plan and reading, from the frame of :func:`qsops.analysis.cost`.

    A plan is pale where the range had days over its quota: it would have refused messages. Without a whole day to
    forecast from, what the range itself cost is drawn.
    """
    forecast = bool(frame["month_usd"].notna().any())
    data = pd.DataFrame([_row(row, forecast) for row in frame.to_dict("records")], columns=_COLUMNS)
    rows = data["row"].tolist()
    told = "the coming 30 days, with the 90 % interval" if forecast else "the range itself, too short for a forecast"
    title = altair.Title("Cost by plan", subtitle=f"US dollars, {told}")
    axis = altair.Axis(labelLimit=330, domain=False, ticks=False, labelPadding=8)
    y = altair.Y("row:N", title=None, sort=rows, axis=axis)
    scale = altair.Scale(domain=list(_FITS), range=list(_FITS.values()))
    base = altair.Chart(data).encode(y=y)
    x = altair.X("usd:Q", title="US dollars", axis=_DOLLARS)
    bars = base.mark_bar(height=16).encode(
        x=x, color=altair.Color("fits:N", scale=scale), tooltip=["row:N", "usd:Q", "low:Q", "high:Q"]
    )
    lines = base.mark_rule(strokeWidth=2, color="#333333").encode(x="low:Q", x2="high:Q")
    texts = base.mark_text(align="left", dx=6, fontSize=12, color="#333333").encode(x="high:Q", text="label:N")
    layers: altair.LayerChart = altair.LayerChart(layer=[bars, lines, texts], title=title)
    return themed(layers, width=_BARS_PX, height=max(1, len(rows)) * _STEP_PX)


_COLUMNS: Final = ["row", "fits", "usd", "low", "high", "label"]


def _row(bill: dict[Any, Any], forecast: bool) -> dict[str, Any]:
    usd = _number(bill["month_usd" if forecast else "usd"])
    low, high = (_number(bill[name]) if forecast else None for name in ("month_low_usd", "month_high_usd"))
    over = int(_number(bill["days_over_quota"]) or 0)
    reading = _READINGS[bill["reading"]]
    days = "1 day" if over == 1 else f"{over} days"
    return {
        "row": f"{PLANS[bill['plan']].title}, {reading}",
        "fits": "would refuse messages" if over else reading,
        "usd": usd or 0.0,
        "low": usd if low is None else low,
        "high": usd if high is None else high,
        "label": f"${usd or 0:,.2f}" + (f", over its quota on {days}" if over else ""),
    }


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
