"""One self-contained HTML page: counts, two figures, what failed where. It needs neither a network nor scripts."""

from __future__ import annotations

import html
from collections.abc import Mapping
from datetime import datetime
from string import Template
from typing import Final

import pandas as pd

from qsops import analysis, figures

__all__ = ["render"]

_ROW_LIMIT: Final = 50

_PAGE: Final = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #1d1d1f; --quiet: #5c5c62; --line: #d9d9de; --page: #fff; --card: #f6f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f0f0f2; --quiet: #a9a9b2; --line: #3a3a40; --page: #17171a; --card: #212126; }
}
body { margin: 2.5rem auto; max-width: 62rem; padding: 0 1.25rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
.quiet { color: var(--quiet); margin: .25rem 0 1.5rem; }
dl { display: flex; flex-wrap: wrap; gap: .75rem; margin: 0; }
dl div { flex: 1 1 7rem; background: var(--card); border-radius: .5rem; padding: .75rem 1rem; }
dt { color: var(--quiet); font-size: .85rem; } dd { margin: 0; font-size: 1.6rem; font-variant-numeric: tabular-nums; }
section { margin-top: 2rem; }
figure { margin: 0 0 1rem; overflow-x: auto; background: #fff; border-radius: .5rem; padding: 1rem; }
figure svg { display: block; max-width: 100%; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--quiet); font-weight: 600; } td.number, th.number { text-align: right; }
td:first-child { overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>$title</h1>
<p class="quiet">$caption</p>
<dl>$counts</dl>
$sections
</body>
</html>
""")


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
    ladder = analysis.retry_ladder(attempts)
    shown = (
        dict(counts)
        if counts is not None
        else dict(zip(by_state["state"].str.lower(), by_state["messages"], strict=True))
    )
    latency = analysis.latency(messages, every)
    sections = [
        _figure("Time to deliver", figures.svg(figures.latency(latency)) if len(latency) else None),
        _figure("Retry ladder", figures.svg(figures.retry_ladder(ladder)) if len(ladder) else None, _table(ladder)),
        _section("Failures by destination and status", _table(analysis.failures(attempts))),
        _section("Messages by state", _table(by_state)),
    ]
    caption = f"{_range(messages)} Read from {html.escape(source)}, made {made_at:%Y-%m-%d %H:%M:%S} UTC."
    return _PAGE.substitute(
        title=html.escape(title),
        caption=caption,
        counts="".join(f"<div><dt>{html.escape(name)}</dt><dd>{count:,}</dd></div>" for name, count in shown.items()),
        sections="\n".join(sections),
    )


def _range(messages: pd.DataFrame) -> str:
    known = messages["created_at"].dropna()
    if known.empty:
        return "No messages in this range."
    return f"Messages created from {known.min():%Y-%m-%d %H:%M:%S} to {known.max():%Y-%m-%d %H:%M:%S} UTC."


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{html.escape(title)}</h2>\n{content}\n</section>"


def _figure(title: str, picture: str | None, below: str = "") -> str:
    if picture is None:
        return _section(title, '<p class="quiet">Nothing to show: no attempt has ended in this range.</p>')
    return f'<section>\n<figure role="img" aria-label="{html.escape(title)}">{picture}</figure>\n{below}\n</section>'


def _table(frame: pd.DataFrame) -> str:
    if frame.empty:
        return '<p class="quiet">None.</p>'
    numbers = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame.columns]
    head = "".join(
        _cell("th", name.replace("_", " "), number) for name, number in zip(frame.columns, numbers, strict=True)
    )
    rows = [
        "<tr>"
        + "".join(_cell("td", _text(value), number) for value, number in zip(row, numbers, strict=True))
        + "</tr>"
        for row in frame.head(_ROW_LIMIT).itertuples(index=False)
    ]
    rest = len(frame) - _ROW_LIMIT
    more = f'<p class="quiet">and {rest:,} more</p>' if rest > 0 else ""
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>{more}'


def _cell(tag: str, text: str, number: bool) -> str:
    return f'<{tag} class="number">{html.escape(text)}</{tag}>' if number else f"<{tag}>{html.escape(text)}</{tag}>"


def _text(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return "–"
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
