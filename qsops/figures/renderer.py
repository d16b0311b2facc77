"""How a chart leaves us: as Vega-Lite that JupyterLab draws, and as a picture for everyone else.

Lab knows the spec under ``vegalite.v5+json`` alone and has the library inside; GitHub and exports show the PNG; strict
nbval compares the spec, which holds the data.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Final, TypeVar

import altair
import vl_convert

from qsops.errors import SettingsError

__all__ = ["enable", "save", "svg", "themed"]

AnyChart = TypeVar("AnyChart", bound=altair.TopLevelMixin)

_MIME: Final = "application/vnd.vegalite.v5+json"
_NAME: Final = "qsops"
_PPI: Final = 72
_SAVED_PPI: Final = 144
# The converter measures text with its own fonts: one that looks alike everywhere keeps labels from overlapping.
_FONT: Final = "Liberation Sans, Arial, Helvetica, sans-serif"

#: Okabe and Ito's colours, which stay apart for every kind of colour vision.
BLUE, ORANGE, GREY, SKY, GOLD = "#0072B2", "#D55E00", "#767676", "#56B4E9", "#E69F00"
#: What is there but says little, such as what is still on its way.
PALE = "#c9c9c9"


def enable() -> None:
    """Make ours Altair's current renderer, and let charts carry their data."""
    altair.renderers.register(_NAME, _bundle)
    altair.renderers.enable(_NAME)
    altair.data_transformers.enable("default", consolidate_datasets=False)


def themed(chart: AnyChart, *, width: int | None = 680, height: int | None = 260) -> AnyChart:
    """``chart`` in the house's form: quiet axes, a title at the left; ``width`` and ``height`` in pixels.

    They are None where the chart's panels have their own.
    """
    sized: Any = chart if width is None or height is None else chart.properties(width=width, height=height)
    themed_chart: AnyChart = (
        sized.configure(font=_FONT, background="white")
        .configure_view(stroke=None)
        .configure_axis(
            gridColor="#e6e6e6", domainColor="#999999", tickColor="#999999", labelFontSize=12, titleFontSize=12
        )
        .configure_title(anchor="start", fontSize=16, subtitleFontSize=12, subtitleColor="#555555", offset=12)
        .configure_legend(orient="top", title=None, labelFontSize=12, symbolSize=90, columnPadding=18)
    )
    return themed_chart


def svg(chart: Any, *, titled: bool = True) -> str:
    """``chart`` as one SVG element, for pages that must open without a network, and may set its title themselves."""
    spec = chart.to_dict()
    if not titled:
        del spec["title"]
    picture: str = vl_convert.vegalite_to_svg(spec)
    return picture


def save(chart: Any, path: str | Path) -> Path:
    """Write ``chart`` to ``path`` as its ending says: a picture as ``.png`` (144 ppi) or ``.svg``, live as ``.html``.

    The page holds all that it needs, and asks no network.

    :raises SettingsError: another ending.
    """
    file = Path(path)
    match file.suffix:
        case ".png":
            file.write_bytes(vl_convert.vegalite_to_png(chart.to_dict(), ppi=_SAVED_PPI))
        case ".svg":
            file.write_text(svg(chart), encoding="utf-8")
        case ".html":
            file.write_text(vl_convert.vegalite_to_html(chart.to_dict(), bundle=True), encoding="utf-8")
        case other:
            raise SettingsError(f"path: a figure is saved as .png, .svg or .html, and {file.name!r} ends in {other!r}")
    return file


def _bundle(spec: dict[str, Any], **_options: Any) -> dict[str, Any]:
    png = vl_convert.vegalite_to_png(spec, ppi=_PPI)
    title = spec.get("title", {})
    text = title.get("text", "chart") if isinstance(title, dict) else title
    return {_MIME: spec, "image/png": base64.b64encode(png).decode(), "text/plain": f"<figure: {text}>"}
