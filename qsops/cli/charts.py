"""``--chart``: a verb's figure, beside its table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qsops.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Chart", "checked", "draw"]

_ENDINGS = (".png", ".svg", ".html")

Chart = Annotated[
    Path | None, typer.Option("--chart", metavar="FILE", help="Draw it, too: .png, .svg, or .html, which is live.")
]


def checked(chart: Path | None) -> Path | None:
    """``chart``, once it is sure that it can be written: nobody waits for a log to be told of a wrong ending.

    :raises SettingsError: its ending is none of ours, or there is no such folder.
    """
    if chart is not None and chart.suffix not in _ENDINGS:
        raise SettingsError(f"--chart: {chart.name!r} ends in {chart.suffix!r}; name a .png, .svg or .html")
    if chart is not None and not chart.parent.is_dir():
        raise SettingsError(f"--chart: there is no folder {str(chart.parent)!r}")
    return chart


def draw(figure: str, frame: pd.DataFrame, chart: Path | None) -> None:
    """Write the figure of that name to ``chart``, if there is one."""
    if chart is None:
        return
    from qsops import figures

    figures.save(getattr(figures, figure)(frame), chart)
