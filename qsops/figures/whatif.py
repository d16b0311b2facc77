"""What another policy would have come to, beside what really happened; and the policies that were tried."""

from __future__ import annotations

from typing import Any, Final

import altair
import pandas as pd

from qsops.figures.renderer import BLUE, GREY, ORANGE, PALE, themed

__all__ = ["suggestion", "whatif"]

_WIDTH_PX: Final = 400
_ROW_PX: Final = 44
_TITLES: Final = {
    "delivered_pct": "delivered (%)",
    "time_p50_s": "median time to deliver (s)",
    "time_p95_s": "95th percentile of it (s)",
    "recovered_p50_s": "median, of those retried (s)",
    "attempts": "attempts",
    "peak_per_minute": "peak a minute after an outage",
}
_RECORDED, _WHAT_IF = "recorded", "what if"
_COLOURS: Final = {_RECORDED: GREY, _WHAT_IF: BLUE}
_CHOICES: Final = {"suggested": ORANGE, "best for its load": BLUE, "another does better": PALE}


def whatif(frame: pd.DataFrame) -> altair.FacetChart:
    """The record and the policy with its 90 % interval, from the ``summary`` of a :class:`qsops.whatif.Result`.

    A panel for each of the main quantities, on a scale of its own; those that the record has no value for are left out.
    """
    shown = frame[frame["quantity"].isin(_TITLES)].dropna(subset=["recorded", "median"])
    data = pd.DataFrame(
        [one for row in shown.to_dict("records") for one in _points(row)],
        columns=["panel", "side", "value", "low", "high"],
    )
    scale = altair.Scale(zero=False, nice=True)
    y = altair.Y("side:N", title=None, sort=[*_COLOURS], axis=altair.Axis(domain=False, ticks=False, labels=False))
    colour = altair.Color("side:N", scale=altair.Scale(domain=[*_COLOURS], range=[*_COLOURS.values()]))
    base = altair.Chart().encode(y=y, color=colour)
    lines = base.mark_rule(strokeWidth=3, opacity=0.6).encode(x=altair.X("low:Q", title=None, scale=scale), x2="high:Q")
    points = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=altair.X("value:Q", title=None, scale=scale, axis=altair.Axis(tickCount=4, format=",.4~f")),
        tooltip=["panel:N", "side:N", "value:Q", "low:Q", "high:Q"],
    )
    layers = altair.LayerChart(layer=[lines, points]).properties(width=_WIDTH_PX, height=_ROW_PX)
    header = altair.Header(labelAngle=0, labelAlign="left", labelFontSize=12, labelLimit=260, title=None)
    title = altair.Title("What if", subtitle="another policy over the same past, with 90 % intervals")
    facets: altair.FacetChart = layers.facet(
        row=altair.Row("panel:N", sort=[*dict.fromkeys(data["panel"])], header=header),
        data=data,
        title=title,
        spacing=6,
    ).resolve_scale(x="independent")
    return themed(facets, width=None, height=None)


def suggestion(frame: pd.DataFrame) -> altair.Chart:
    """Share delivered over the peak after an outage, a point a policy, from the ``frame`` of a suggestion."""
    data = frame.assign(
        choice=frame["pareto"].map({True: "best for its load", False: "another does better"}),
        delay=frame["retry_delay"].fillna("the default curve"),
    )
    data.loc[data["suggested"].astype(bool), "choice"] = "suggested"
    # What is drawn last lies on top.
    order = [*_CHOICES][::-1]
    data = data.assign(rank=[order.index(choice) for choice in data["choice"]]).sort_values("rank", kind="stable")
    columns = ["retries", "delay", "delivered_pct", "time_p95_s", "attempts", "peak_per_minute", "choice"]
    zero = altair.Scale(zero=False, nice=True)
    chart: altair.Chart = (
        altair.Chart(
            data[columns],
            title=altair.Title(
                "Policies", subtitle="what each delivers, and the load on a destination that comes back"
            ),
        )
        .mark_point(filled=True, size=110, opacity=0.9)
        .encode(
            x=altair.X("peak_per_minute:Q", title="most attempts a minute after an outage", scale=zero),
            y=altair.Y("delivered_pct:Q", title="delivered (%)", scale=zero),
            color=altair.Color("choice:N", scale=altair.Scale(domain=[*_CHOICES], range=[*_CHOICES.values()])),
            tooltip=["retries:Q", "delay:N", "delivered_pct:Q", "time_p95_s:Q", "attempts:Q", "peak_per_minute:Q"],
        )
    )
    return themed(chart)


def _points(row: dict[Any, Any]) -> list[dict[str, Any]]:
    panel, was = _TITLES[row["quantity"]], float(row["recorded"])
    return [
        {"panel": panel, "side": _RECORDED, "value": was, "low": was, "high": was},
        {"panel": panel, "side": _WHAT_IF, "value": float(row["median"]), "low": row["low"], "high": row["high"]},
    ]
