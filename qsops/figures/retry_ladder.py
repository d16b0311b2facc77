"""The retry ladder: what each further attempt wins."""

from __future__ import annotations

import altair
import pandas as pd

from qsops.figures.counts import count_axis
from qsops.figures.renderer import BLUE, ORANGE, themed

__all__ = ["retry_ladder"]


def retry_ladder(frame: pd.DataFrame) -> altair.LayerChart:
    """Attempts by number, delivered and failed, from the frame of :func:`qsops.analysis.retry_ladder`.

    The figure above a bar is the share of those attempts that delivered.
    """
    wide = pd.DataFrame(
        {
            "attempt": frame["attempt"].astype(int),
            "delivered": frame["delivered"].astype(int),
            "failed": (frame["attempts"] - frame["delivered"]).astype(int),
        }
    )
    long = wide.melt("attempt", ["delivered", "failed"], "outcome", "attempts")
    long["order"] = (long["outcome"] == "failed").astype(int)
    x = altair.X("attempt:O", title="attempt (1 is the first)", axis=altair.Axis(labelAngle=0))
    bars = (
        altair.Chart(long)
        .mark_bar()
        .encode(
            x=x,
            y=altair.Y("attempts:Q", title="attempts", stack=True, axis=count_axis(frame["attempts"], form=",d")),
            color=altair.Color("outcome:N", scale=altair.Scale(domain=["delivered", "failed"], range=[BLUE, ORANGE])),
            order="order:Q",
            tooltip=["attempt:O", "outcome:N", "attempts:Q"],
        )
    )
    labels = (
        altair.Chart(_labels(frame))
        .mark_text(dy=-8, fontSize=12, color="#333333")
        .encode(x=x, y="attempts:Q", text="label:N")
    )
    title = altair.Title("Retry ladder", subtitle="what each further attempt won; the figure is its success rate")
    layers: altair.LayerChart = altair.LayerChart(layer=[bars, labels], title=title)
    return themed(layers)


def _labels(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "attempt": frame["attempt"].astype(int),
            "attempts": frame["attempts"].astype(int),
            "label": [f"{share:.0f} %" for share in frame["success_pct"]],
        }
    )
