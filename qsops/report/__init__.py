"""One self-contained HTML page: counts, two figures, what failed where. It needs neither a network nor scripts.

The figures are SVG within the page, coloured by the page's own style, so that they follow a light or dark screen; the
page's policy forbids the browser to load anything at all.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from string import Template

import altair
import pandas as pd

from qsops import analysis, figures
from qsops.report.tables import moment, table

__all__ = ["render"]


def render(
    attempts: pd.DataFrame,
    messages: pd.DataFrame,
    *,
    title: str,
    made_at: datetime,
    source: str,
    counts: Mapping[str, int] | None = None,
    every: str = "1min",
) -> str:
    """The page for ``attempts`` and ``messages``, read from ``source``.

    ``counts`` are the figures at its head, by default the messages by outcome; ``every`` is the width of a bucket of
    the latency figure. The frames hold no bodies, so neither does the page.
    """
    by_state = analysis.outcomes(messages)
    sections = [
        _latency(analysis.latency(messages, every)),
        _ladder(analysis.retry_ladder(attempts)),
        _section("Failures by destination and status", table(analysis.failures(attempts))),
        _section("Messages by state", table(by_state)),
    ]
    if counts is None:
        counts = dict(zip(by_state["state"].str.lower(), by_state["messages"], strict=True))
    page = Template(resources.files("qsops.report").joinpath("page.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=html.escape(title),
        caption=f"{_range(messages)} Read from {html.escape(source)}, made {moment(made_at)} UTC.",
        counts="\n".join(_count(name, count) for name, count in counts.items()),
        sections="\n".join(sections),
    )


def _range(messages: pd.DataFrame) -> str:
    known = messages["created_at"].dropna()
    if known.empty:
        return "No messages in this range."
    return f"Messages created from {moment(known.min())} to {moment(known.max())} UTC."


def _count(name: str, count: int) -> str:
    return f"<div><dt>{html.escape(name)}</dt><dd>{count:,}</dd></div>"


def _latency(frame: pd.DataFrame) -> str:
    if frame.empty:
        return _section("Time to deliver", "", "No message was delivered in this range.")
    numbers = f"<details><summary>The numbers</summary>{table(frame)}</details>"
    return _figure(figures.latency(frame), numbers)


def _ladder(frame: pd.DataFrame) -> str:
    if frame.empty:
        return _section("Retry ladder", "", "No attempt of a known number has ended in this range.")
    return _figure(figures.retry_ladder(frame), table(frame))


def _figure(chart: altair.Chart | altair.LayerChart, below: str) -> str:
    """The chart under its own title, which is set as a heading of the page."""
    title: dict[str, str] = chart.title.to_dict()
    label, picture = html.escape(title["text"]), figures.svg(chart, titled=False)
    content = f'<figure role="img" aria-label="{label}">{picture}</figure>\n{below}'
    return _section(title["text"], content, title["subtitle"])


def _section(title: str, content: str, below_title: str = "") -> str:
    quiet = f'<p class="quiet">{html.escape(below_title)}</p>\n' if below_title else ""
    return f"<section>\n<h2>{html.escape(title)}</h2>\n{quiet}{content}\n</section>"
