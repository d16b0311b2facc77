"""A frame as an HTML table for people: units in its head, numbers to the right, a dash for what is not known."""

from __future__ import annotations

import html
from collections.abc import Iterable
from datetime import datetime
from numbers import Real
from typing import Final

import pandas as pd

__all__ = ["ROWS_LIMIT", "moment", "table"]

#: How many rows are shown, the first ones; how many more there are is told below.
ROWS_LIMIT: Final = 50
_UNITS: Final = {"_pct": " (%)", "_ms": " (ms)", "_s": " (s)"}


def table(frame: pd.DataFrame) -> str:
    """``frame`` as a table, or a line that says there is none."""
    if frame.empty:
        return '<p class="quiet">None.</p>'
    kinds = {name: _kind(frame[name]) for name in frame.columns}
    head = "".join(f'<th scope="col"{_class(kind)}>{_heading(name)}</th>' for name, kind in kinds.items())
    rows = "\n".join(_row(row, kinds.values()) for row in frame.head(ROWS_LIMIT).itertuples(index=False))
    rest = len(frame) - ROWS_LIMIT
    more = f'<p class="quiet">and {rest:,} more</p>' if rest > 0 else ""
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>{more}'


def _row(row: Iterable[object], kinds: Iterable[str]) -> str:
    cells = "".join(f"<td{_class(kind)}>{_text(value)}</td>" for value, kind in zip(row, kinds, strict=True))
    return f"<tr>{cells}</tr>"


def moment(at: datetime) -> str:
    """A time to the second, which is never broken over two lines."""
    return f"<time>{at:%Y-%m-%d %H:%M:%S}</time>"


def _kind(column: pd.Series) -> str:
    if pd.api.types.is_numeric_dtype(column):
        return "number"
    return "" if pd.api.types.is_datetime64_any_dtype(column) else "text"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _heading(name: str) -> str:
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return html.escape(name.removesuffix(ending).replace("_", " ") + unit)
    return html.escape(name.replace("_", " "))


def _text(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return "–"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, Real):
        return f"{value:,}"
    return html.escape(str(value))
